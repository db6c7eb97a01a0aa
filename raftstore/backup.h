/* What backup.c and folder.c share. Private to them. */
#ifndef RAFTSTORE_BACKUP_H
#define RAFTSTORE_BACKUP_H

#include "raftstore/raftstore.h"

void backup_describe(struct raftstore_backup *b); /* revisions and keys, from its state */

#endif
