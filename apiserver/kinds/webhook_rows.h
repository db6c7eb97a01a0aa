/* What both kinds of webhooks say, row for row; the mutating one has a field of its own between them, which moves the
 * numbers of those behind it. */
#ifndef APISERVER_KINDS_WEBHOOK_ROWS_H
#define APISERVER_KINDS_WEBHOOK_ROWS_H

/* The formatter knows no lists in macros. */
/* clang-format off */

#define WEBHOOK_ROWS \
    {.name = "name", .type = FIELD_STRING, .proto = 1, .flags = FIELD_REQUIRED, .check = check_webhook_name, \
     .doc = "Name of the webhook: a domain with at least three parts."}, \
    {.name = "clientConfig", .type = FIELD_OBJECT, .object = &type_webhook_client_config, .proto = 2, \
     .flags = FIELD_REQUIRED | FIELD_ALWAYS, .doc = "How it is reached."}, \
    {.name = "rules", .type = FIELD_OBJECT, .shape = FIELD_LIST, .object = &type_rule_with_operations, \
     .proto = 3, .doc = "Resources and operations it is asked about."}, \
    {.name = "failurePolicy", .type = FIELD_STRING, .proto = 4, .flags = FIELD_POINTER, .fallback = "\"Fail\"", \
     .one_of = failure_policies, .doc = "What follows when it cannot be asked: Fail or Ignore."}, \
    {.name = "namespaceSelector", .type = FIELD_OBJECT, .object = &type_label_selector, .proto = 5, \
     .fallback = "{}", .doc = "Only asked about objects in namespaces with these labels."}, \
    {.name = "sideEffects", .type = FIELD_STRING, .proto = 6, .flags = FIELD_REQUIRED | FIELD_POINTER, \
     .required = "must specify one of None, NoneOnDryRun", .one_of = side_effects, \
     .doc = "Whether asking changes something elsewhere: None or NoneOnDryRun."}, \
    {.name = "timeoutSeconds", .type = FIELD_INT32, .proto = 7, .flags = FIELD_POINTER, .fallback = "10", \
     .check = check_webhook_timeout, .doc = "How long it has to answer, 1 to 30 seconds."}, \
    {.name = "admissionReviewVersions", .type = FIELD_STRING, .shape = FIELD_LIST, .proto = 8, \
     .flags = FIELD_REQUIRED, .required = "must specify one of v1, v1beta1", .check = check_review_versions, \
     .doc = "Versions of AdmissionReview that it understands, best first."}, \
    {.name = "matchPolicy", .type = FIELD_STRING, .proto = 9, .flags = FIELD_POINTER, \
     .fallback = "\"Equivalent\"", .one_of = match_policies, \
     .doc = "Equivalent: also asked about other versions of the same resource; Exact: only about those named."}

#define WEBHOOK_CHOICE_ROWS(SELECTOR, CONDITIONS) \
    {.name = "objectSelector", .type = FIELD_OBJECT, .object = &type_label_selector, .proto = SELECTOR, \
     .fallback = "{}", .doc = "Only asked about objects with these labels."}, \
    {.name = "matchConditions", .type = FIELD_OBJECT, .shape = FIELD_LIST, .object = &type_match_condition, \
     .proto = CONDITIONS, .list = LIST_MAP, .list_keys = "name", .patch = PATCH_MERGE, .merge_key = "name", \
     .check = check_match_conditions, .doc = "Conditions that a request has to meet for it to be asked."}

/* clang-format on */

#endif
