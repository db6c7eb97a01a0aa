/* What is changed and refused between defaults and validation. Pure. */
#ifndef APISERVER_ADMISSION_H
#define APISERVER_ADMISSION_H

#include "apiserver/verbs.h"

/* ServiceAccount: a new pod runs as an account that exists, and gets its token mounted (the projected volume
 * kube-api-access-XXXXX) unless it or the account says otherwise. ERR_FORBIDDEN when the account it names is missing.
 * A pod that names none in a namespace whose controllers have not made `default` yet goes without a token. */
int admission_service_account(const struct verb_facts *v, struct json_doc *d, struct json *pod, struct failure *f);

/* The account a pod to be made asks for; "default" when it names none. */
struct slice admission_account_name(const struct json *pod);

#endif
