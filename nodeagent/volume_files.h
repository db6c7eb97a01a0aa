/* The files of volumes that are made from API objects: which there are is pure, how they come into place is host.h. */
#ifndef NODEAGENT_VOLUME_FILES_H
#define NODEAGENT_VOLUME_FILES_H

#include "common/base.h"
#include "common/mem.h"
#include "nodeagent/environment.h"

#define VOLUME_FILES_MAX 4096

struct volume_file {
    const char *path; /* relative, without ".." */
    struct slice content;
    unsigned mode;
};

struct volume_files {
    struct arena arena; /* of all content */
    struct volume_file *files;
    size_t count;
};

/* ERR_NOT_FOUND and others with the kubelet's words where a source or a key is missing and not optional. Release also
 * after a failure. */
int volume_files_build(struct volume_files *v, const struct pod *p, const struct pod_volume *volume, const struct pod_data *data,
                       const struct environment_facts *facts, struct err *reterr);
void volume_files_release(struct volume_files *v);

/* Puts them into `folder` so that readers see all the old ones or all the new ones: a fresh folder below, and `..data`, the
 * symbolic link everything goes through, renamed over. Does nothing where they are there already. `stamp` names the folder. */
int volume_files_write(const struct volume_files *v, const char *folder, const char *stamp, struct err *reterr);

#endif
