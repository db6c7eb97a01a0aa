/* Image references as people write them: pure. */
#ifndef NODEAGENT_IMAGE_REF_H
#define NODEAGENT_IMAGE_REF_H

#include "common/base.h"
#include "common/err.h"

#define IMAGE_REF_MAX 512

struct image_ref {
    char name[IMAGE_REF_MAX];     /* as written, with ":latest" where it has neither tag nor digest */
    char short_name[IMAGE_REF_MAX]; /* the same without docker.io/ and docker.io/library/ */
    bool by_digest;
};

/* ERR_INVALID when it is none: "couldn't parse image name …". */
int image_ref_parse(const char *text, struct image_ref *ret, struct err *reterr);

#endif
