/* What is changed and refused between defaults and validation. Pure. */
#ifndef APISERVER_ADMISSION_H
#define APISERVER_ADMISSION_H

#include "apiserver/verbs.h"

/* ServiceAccount: a new pod runs as an account that exists, and gets its token mounted (the projected volume
 * kube-api-access-XXXXX) unless it or the account says otherwise. ERR_FORBIDDEN when the account is missing; whoever asks
 * has waited for `default`. An apiserver that makes no tokens asks for no account but one that a pod names. */
int admission_service_account(const struct verb_facts *v, struct json_doc *d, struct json *pod, struct failure *f);

/* DefaultTolerationSeconds: a new pod that does not say how long it stays on a node that is not ready or not reachable
 * stays for five minutes. */
void admission_tolerations(struct json_doc *d, struct json *pod);

/* DefaultStorageClass, DefaultIngressClass: a new claim or ingress that names no class gets the default one of v->classes. */
void admission_class(const struct verb_facts *v, struct json_doc *d, struct json *o);
/* The kind of the classes that objects of kind `k` may name; NULL: they name none. */
const struct kind *admission_class_kind(const struct kind *k);

/* The account a pod to be made asks for; "default" when it names none. */
struct slice admission_account_name(const struct json *pod);

#endif
