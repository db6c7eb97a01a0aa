/* Objects in the shapes clients ask for: as they are, as a Table, as metadata only. */
#include "common/base.h"

#include "apiserver/columns.h"
#include "apiserver/request.h"

/* `{"kind":"PartialObjectMetadata",…,"metadata":{…}}` */
void format_partial(struct slice json, const struct json *tree, struct buf *out)
{
    (void)json;
    buf_append_str(out, "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":");
    json_print(json_get(tree, "metadata"), out);
    buf_append_char(out, '}');
}

/* kubectl greys out what is over. */
static void row_conditions(const struct kind *k, const struct json *tree, struct buf *out)
{
    struct slice phase = json_string_at(tree, "status.phase");
    if (strcmp(k->name, "Pod") == 0 && (slice_is(phase, "Succeeded") || slice_is(phase, "Failed")))
        buf_printf(out, ",\"conditions\":[{\"type\":\"Completed\",\"status\":\"True\",\"reason\":\"%.*s\"}]",
                   SLICE_ARGS(phase));
}

void format_row(const struct kind *k, enum event_format format, struct slice json, int64_t wall_ms, struct buf *out)
{
    struct json_doc *d = json_doc_new();
    struct json *tree = NULL;
    int code = json_parse(d, json, &tree, NULL);
    ASSERT(code == 0); /* our own bytes, read once already at ingest */
    buf_append_str(out, "{\"cells\":");
    columns_row(k, tree, &(struct column_now){wall_ms}, out);
    row_conditions(k, tree, out);
    if (format == EVENT_TABLE_OBJECT) {
        buf_append_str(out, ",\"object\":");
        buf_append_slice(out, json);
    } else if (format == EVENT_TABLE) {
        buf_append_str(out, ",\"object\":");
        format_partial(json, tree, out);
    }
    buf_append_char(out, '}');
    json_doc_free(d);
}

static void table_of_one(const struct kind *k, enum event_format format, struct slice json, int64_t wall_ms,
                         bool columns, struct buf *out)
{
    struct json_doc *d = json_doc_new();
    struct json *tree = NULL;
    int code = json_parse(d, json, &tree, NULL);
    ASSERT(code == 0);
    buf_append_str(out, "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{\"resourceVersion\":");
    json_print_string(json_string_at(tree, "metadata.resourceVersion"), out);
    buf_append_str(out, "},\"columnDefinitions\":");
    if (columns)
        columns_definitions(k, out);
    else
        buf_append_str(out, "null");
    buf_append_str(out, ",\"rows\":[");
    format_row(k, format, json, wall_ms, out);
    buf_append_str(out, "]}");
    json_doc_free(d);
}

void format_object(const struct kind *k, enum event_format format, struct slice json, int64_t wall_ms, bool columns,
                   struct buf *out)
{
    if (format == EVENT_JSON) {
        buf_append_slice(out, json);
    } else if (format == EVENT_PARTIAL) {
        struct json_doc *d = json_doc_new();
        struct json *tree = NULL;
        int code = json_parse(d, json, &tree, NULL);
        ASSERT(code == 0);
        format_partial(json, tree, out);
        json_doc_free(d);
    } else {
        table_of_one(k, format, json, wall_ms, columns, out);
    }
}
