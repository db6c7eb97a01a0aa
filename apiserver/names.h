/* The rules of names: 0, or ERR_INVALID with the text Kubernetes has for the broken rule. */
#ifndef APISERVER_NAMES_H
#define APISERVER_NAMES_H

#include "common/base.h"
#include "common/err.h"

#define NAME_SUBDOMAIN_MAX 253
#define NAME_LABEL_MAX 63

int name_check_subdomain(struct slice s, struct err *reterr);    /* RFC 1123 subdomain */
int name_check_wildcard(struct slice s, struct err *reterr);     /* "*." and a subdomain */
int name_check_label(struct slice s, struct err *reterr);        /* RFC 1123 label */
int name_check_label1035(struct slice s, struct err *reterr); /* RFC 1035 label: begins with a letter */
int name_check_path_segment(struct slice s, struct err *reterr); /* neither "." nor "..", without '/' and '%' */
int name_check_qualified(struct slice s, struct err *reterr);    /* label and annotation keys: [prefix/]name */
int name_check_label_value(struct slice s, struct err *reterr);
int name_check_config_key(struct slice s, struct err *reterr);
int name_check_env(struct slice s, struct err *reterr);
int name_check_port(struct slice s, struct err *reterr);

#endif
