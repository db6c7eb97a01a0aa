/* The kinds of networking, storage, scheduling, certificates, admission, extension, aggregation, nodes, flow control
 * and events.k8s.io: what the smallest object becomes, what wrong ones are told, what never changes, and the rows they
 * show. */
#include "tests/test.h"

#include "apiserver/authz.h"
#include "apiserver/bootstrap_objects.h"
#include "apiserver/bootstrap_parts.h"
#include "apiserver/columns.h"
#include "apiserver/kinds/kinds.h"
#include "apiserver/verbs.h"
#include "common/buf.h"

#define NOW_US ((int64_t)1767323045000000) /* 2026-01-02T03:04:05Z */

/* Objects stand here with ' for ", so that they can be read. */
static struct json *parse(struct json_doc *d, const char *text)
{
    struct json *v = NULL;
    struct err why;
    struct buf plain = {0};
    for (; *text != '\0'; text++)
        buf_append_char(&plain, *text == '\'' ? '"' : *text);
    if (json_parse(d, buf_slice(&plain), &v, &why) != 0)
        fail_msg("%s: %s", plain.data, why.message);
    buf_release(&plain);
    return v;
}

static void facts_of(const struct kind *k, const struct user *user, struct verb_facts *v)
{
    *v = (struct verb_facts){.kind = k, .stored = kinds_stored(k), .now_us = NOW_US, .uid = "u", .user = user};
    v->namespace = k->namespaced ? SLICE("ns") : SLICE("");
}

/* One line per cause: "spec.a FieldValueInvalid Invalid value: …". */
static void causes_text(const struct failure *f, struct buf *out)
{
    buf_append(out, "", 0);
    for (size_t i = 0; i < f->check.count; i++)
        buf_printf(out, "%s %s %s\n", f->check.errors[i].path, check_reason(f->check.errors[i].kind),
                   f->check.errors[i].body);
    if (f->check.count == 0 && f->code != 0)
        buf_printf(out, "%s\n", f->message.data);
}

static void same(const char *what, const struct buf *got, const char *wanted)
{
    if (strcmp(got->data, wanted) != 0)
        fail_msg("%s:\n got %s\nwant %s", what, got->data, wanted);
}

/* --- what the smallest object becomes --- */

static const struct sample {
    const struct kind *kind;
    const char *in, *out; /* `out` without kind, apiVersion and metadata */
} samples[] = {
    {&kind_ingress,
     "{'metadata':{'name':'x'},'spec':{'rules':[{'http':{'paths':[{'path':'/','pathType':'Prefix','bac"
     "kend':{'service':{'name':'s','port':{'number':80}}}}]}}]}}",
     "{'spec':{'rules':[{'http':{'paths':[{'path':'/','backend':{'service':{'name':'s','port':{'number"
     "':80}}},'pathType':'Prefix'}]}}]},'status':{'loadBalancer':{}}}"},
    {&kind_ingressclass,
     "{'metadata':{'name':'x'},'spec':{'controller':'example.com/c','parameters':{'kind':'K','name':'n"
     "'}}}",
     "{'spec':{'controller':'example.com/c','parameters':{'kind':'K','name':'n','scope':'Cluster'}}}"},
    {&kind_networkpolicy, "{'metadata':{'name':'x'},'spec':{'egress':[{'ports':[{'port':53}]}]}}",
     "{'spec':{'podSelector':{},'egress':[{'ports':[{'protocol':'TCP','port':53}]}],'policyTypes':['In"
     "gress','Egress']}}"},
    {&kind_storageclass, "{'metadata':{'name':'x'},'provisioner':'example.com/p'}",
     "{'provisioner':'example.com/p','reclaimPolicy':'Delete','volumeBindingMode':'Immediate'}"},
    {&kind_csidriver, "{'metadata':{'name':'x'},'spec':{}}",
     "{'spec':{'attachRequired':true,'podInfoOnMount':false,'volumeLifecycleModes':['Persistent'],'sto"
     "rageCapacity':false,'fsGroupPolicy':'ReadWriteOnceWithFSType','requiresRepublish':false,'seLinux"
     "Mount':false}}"},
    {&kind_csinode, "{'metadata':{'name':'x'},'spec':{'drivers':[{'name':'d','nodeID':'n'}]}}",
     "{'spec':{'drivers':[{'name':'d','nodeID':'n'}]}}"},
    {&kind_csistoragecapacity, "{'metadata':{'name':'x'},'storageClassName':'c','capacity':'1024Mi'}",
     "{'storageClassName':'c','capacity':'1Gi'}"},
    {&kind_volumeattachment,
     "{'metadata':{'name':'x'},'spec':{'attacher':'d','nodeName':'n','source':{'persistentVolumeName':"
     "'v'}},'status':{'attached':true}}",
     "{'spec':{'attacher':'d','source':{'persistentVolumeName':'v'},'nodeName':'n'},'status':{'attache"
     "d':false}}"},
    {&kind_priorityclass, "{'metadata':{'name':'x'}}", "{'value':0,'preemptionPolicy':'PreemptLowerPriority'}"},
    {&kind_runtimeclass, "{'metadata':{'name':'x'},'handler':'h'}", "{'handler':'h'}"},
    {&kind_certificatesigningrequest,
     "{'metadata':{'name':'x'},'spec':{'request':'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KeAot"
     "LS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K','signerName':'example.com/s','usages':['client aut"
     "h']}}",
     "{'spec':{'request':'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KeAotLS0tLUVORCBDRVJUSUZJQ0FU"
     "RSBSRVFVRVNULS0tLS0K','usages':['client auth'],'signerName':'example.com/s'},'status':{}}"},
    {&kind_validatingadmissionpolicy,
     "{'metadata':{'name':'x'},'spec':{'matchConstraints':{'resourceRules':[{'operations':['*'],'apiGr"
     "oups':['*'],'apiVersions':['*'],'resources':['*']}]},'validations':[{'expression':'true'}]}}",
     "{'spec':{'matchConstraints':{'namespaceSelector':{},'objectSelector':{},'resourceRules':[{'opera"
     "tions':['*'],'apiGroups':['*'],'apiVersions':['*'],'resources':['*'],'scope':'*'}],'matchPolicy'"
     ":'Equivalent'},'validations':[{'expression':'true'}],'failurePolicy':'Fail'},'status':{}}"},
    {&kind_validatingadmissionpolicybinding,
     "{'metadata':{'name':'x'},'spec':{'policyName':'p','validationActions':['Deny'],'matchResources':"
     "{}}}",
     "{'spec':{'policyName':'p','matchResources':{'namespaceSelector':{},'objectSelector':{},'matchPol"
     "icy':'Equivalent'},'validationActions':['Deny']}}"},
    {&kind_mutatingwebhookconfiguration,
     "{'metadata':{'name':'x'},'webhooks':[{'name':'a.b.c','clientConfig':{'url':'https://h/p'},'sideE"
     "ffects':'None','admissionReviewVersions':['v1'],'rules':[{'operations':['CREATE'],'apiGroups':['"
     "'],'apiVersions':['v1'],'resources':['pods']}]}]}",
     "{'webhooks':[{'name':'a.b.c','clientConfig':{'url':'https://h/p'},'rules':[{'operations':['CREAT"
     "E'],'apiGroups':[''],'apiVersions':['v1'],'resources':['pods'],'scope':'*'}],'failurePolicy':'Fa"
     "il','namespaceSelector':{},'sideEffects':'None','timeoutSeconds':10,'admissionReviewVersions':['"
     "v1'],'matchPolicy':'Equivalent','reinvocationPolicy':'Never','objectSelector':{}}]}"},
    {&kind_validatingwebhookconfiguration,
     "{'metadata':{'name':'x'},'webhooks':[{'name':'a.b.c','clientConfig':{'service':{'name':'s','name"
     "space':'n'}},'sideEffects':'None','admissionReviewVersions':['v1']}]}",
     "{'webhooks':[{'name':'a.b.c','clientConfig':{'service':{'namespace':'n','name':'s','port':443}},"
     "'failurePolicy':'Fail','namespaceSelector':{},'sideEffects':'None','timeoutSeconds':10,'admissio"
     "nReviewVersions':['v1'],'matchPolicy':'Equivalent','objectSelector':{}}]}"},
    {&kind_customresourcedefinition,
     "{'metadata':{'name':'ws.example.com'},'spec':{'group':'example.com','scope':'Namespaced','names'"
     ":{'plural':'ws','kind':'W'},'versions':[{'name':'v1','served':true,'storage':true,'schema':{'ope"
     "nAPIV3Schema':{'type':'object'}}}]}}",
     "{'spec':{'group':'example.com','names':{'plural':'ws','singular':'w','kind':'W','listKind':'WLis"
     "t'},'scope':'Namespaced','versions':[{'name':'v1','served':true,'storage':true,'schema':{'openAP"
     "IV3Schema':{'type':'object'}}}],'conversion':{'strategy':'None'}},'status':{'conditions':null,'a"
     "cceptedNames':{'plural':'','kind':''},'storedVersions':['v1']}}"},
    {&kind_apiservice,
     "{'metadata':{'name':'v1.g.example.com'},'spec':{'group':'g.example.com','version':'v1','groupPri"
     "orityMinimum':1,'versionPriority':1,'service':{'name':'s','namespace':'n'}}}",
     "{'spec':{'service':{'namespace':'n','name':'s','port':443},'group':'g.example.com','version':'v1"
     "','groupPriorityMinimum':1,'versionPriority':1},'status':{}}"},
    {&kind_flowschema, "{'metadata':{'name':'x'},'spec':{'priorityLevelConfiguration':{'name':'p'}}}",
     "{'spec':{'priorityLevelConfiguration':{'name':'p'},'matchingPrecedence':1000},'status':{}}"},
    {&kind_prioritylevelconfiguration,
     "{'metadata':{'name':'x'},'spec':{'type':'Limited','limited':{'limitResponse':{'type':'Queue','qu"
     "euing':{}}}}}",
     "{'spec':{'type':'Limited','limited':{'nominalConcurrencyShares':30,'limitResponse':{'type':'Queu"
     "e','queuing':{'queues':64,'handSize':8,'queueLengthLimit':50}},'lendablePercent':0}},'status':{}"
     "}"},
    {&kind_event_v1,
     "{'metadata':{'name':'x'},'eventTime':'2026-01-02T03:04:05.000001Z','reportingController':'exampl"
     "e.com/c','reportingInstance':'i','action':'A','reason':'R','type':'Normal','regarding':{'kind':'"
     "Pod','name':'p','namespace':'ns'}}",
     "{'involvedObject':{'kind':'Pod','namespace':'ns','name':'p'},'reason':'R','source':{},'firstTime"
     "stamp':null,'lastTimestamp':null,'type':'Normal','eventTime':'2026-01-02T03:04:05.000001Z','acti"
     "on':'A','reportingComponent':'example.com/c','reportingInstance':'i'}"},
};

static void create(const struct kind *k, struct json_doc *d, const char *in, struct json **ret)
{
    struct verb_facts v;
    struct verb_result r = {0};
    struct failure f = {0};
    struct buf causes = {0};
    facts_of(k, NULL, &v);
    int code = verb_create(&v, d, parse(d, in), &r, &f);
    causes_text(&f, &causes);
    if (code != 0)
        fail_msg("%s %s: %s", k->name, in, causes.data);
    assert_ok(json_parse(d, buf_slice(&r.bytes), ret, NULL));
    buf_release(&r.bytes);
    buf_release(&causes);
    failure_release(&f);
}

static void test_defaults(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        struct json_doc *d = json_doc_new();
        struct json *made = NULL;
        struct buf got = {0}, wanted = {0};
        static const char *const common[] = {"kind", "apiVersion", "metadata"};
        create(samples[i].kind, d, samples[i].in, &made);
        assert_slice_equal(json_string_at(made, "metadata.creationTimestamp"), "2026-01-02T03:04:05Z");
        for (size_t k = 0; k < ARRAY_LEN(common); k++)
            assert_true(json_remove(made, common[k]));
        json_print(made, &got);
        json_print(parse(d, samples[i].out), &wanted);
        same(samples[i].kind->name, &got, wanted.data);
        buf_release(&got);
        buf_release(&wanted);
        json_doc_free(d);
    }
}

/* What is stored is the fixed point: stored again as it is, nothing changes. */
static void test_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        struct json_doc *d = json_doc_new();
        struct verb_facts v;
        struct verb_result r = {0};
        struct failure f = {0};
        struct json *made = NULL, *shown = NULL;
        struct buf causes = {0};
        create(samples[i].kind, d, samples[i].in, &made);
        facts_of(samples[i].kind, NULL, &v);
        v.name = json_string_at(made, "metadata.name");
        shown = json_copy(d, made);
        if (samples[i].kind->from_stored != NULL) {
            samples[i].kind->from_stored(d, shown);
            json_set_str(d, shown, "apiVersion", "events.k8s.io/v1");
        }
        json_set_str(d, json_get(shown, "metadata"), "resourceVersion", "7");
        int code = verb_update(&v, d, made, 7, shown, &r, &f);
        causes_text(&f, &causes);
        if (code != 0 || r.action != VERB_NOTHING)
            fail_msg("%s: %s %.*s", samples[i].kind->name, causes.data, SLICE_ARGS(buf_slice(&r.bytes)));
        buf_release(&r.bytes);
        buf_release(&causes);
        failure_release(&f);
        json_doc_free(d);
    }
}

/* --- what wrong ones are told --- */

static const struct {
    const struct kind *kind;
    const char *in, *causes;
} refused[] = {
    {&kind_ingress, "{'metadata':{'name':'x'},'spec':{}}",
     "spec FieldValueInvalid Invalid value: []networking.IngressRule(nil): either `defaultBackend` or "
     "`rules` must be specified\n"},
    {&kind_ingress, "{'metadata':{'name':'x'},'spec':{'defaultBackend':{}}}",
     "spec.defaultBackend FieldValueInvalid Invalid value: \"\": resource or service backend is requir"
     "ed\n"},
    {&kind_ingress,
     "{'metadata':{'name':'x'},'spec':{'defaultBackend':{'service':{'name':'S','port':{'name':'a','num"
     "ber':1}},'resource':{'kind':'K','name':'n'}}}}",
     "spec.defaultBackend.service.name FieldValueInvalid Invalid value: \"S\": a DNS-1035 label must c"
     "onsist of lower case alphanumeric characters or '-', start with an alphabetic character, and end"
     " with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a"
     "-z]([-a-z0-9]*[a-z0-9])?')\n"
     "spec.defaultBackend FieldValueInvalid Invalid value: \"\": cannot set both resource and service "
     "backends\n"
     "spec.defaultBackend FieldValueInvalid Invalid value: \"\": cannot set both port name & port numb"
     "er\n"},
    {&kind_ingress,
     "{'metadata':{'name':'x'},'spec':{'defaultBackend':{'service':{'name':'s'}},'ingressClassName':'A"
     "'}}",
     "spec.defaultBackend FieldValueRequired Required value: port name or number is required\n"
     "spec.ingressClassName FieldValueInvalid Invalid value: \"A\": a lowercase RFC 1123 subdomain mus"
     "t consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alph"
     "anumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9"
     "])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')\n"},
    {&kind_ingress,
     "{'metadata':{'name':'x'},'spec':{'rules':[{'http':{'paths':[{'path':'x','pathType':'Exact','back"
     "end':{'service':{'name':'s','port':{'number':80}}}}]}}]}}",
     "spec.rules[0].http.paths[0].path FieldValueInvalid Invalid value: \"x\": must be an absolute pat"
     "h\n"},
    {&kind_ingress,
     "{'metadata':{'name':'x'},'spec':{'rules':[{'http':{'paths':[{'path':'/a//b/..','pathType':'Prefi"
     "x','backend':{'service':{'name':'s','port':{'number':80}}}}]}}]}}",
     "spec.rules[0].http.paths[0].path FieldValueInvalid Invalid value: \"/a//b/..\": must not contain"
     " '//'\n"
     "spec.rules[0].http.paths[0].path FieldValueInvalid Invalid value: \"/a//b/..\": cannot end with "
     "'/..'\n"},
    {&kind_ingress, "{'metadata':{'name':'x'},'spec':{'rules':[{'http':{'paths':[{'path':'/'}]}}]}}",
     "spec.rules[0].http.paths[0].backend FieldValueInvalid Invalid value: \"\": resource or service b"
     "ackend is required\n"
     "spec.rules[0].http.paths[0].pathType FieldValueRequired Required value: pathType must be specifi"
     "ed\n"},
    {&kind_ingress,
     "{'metadata':{'name':'x'},'spec':{'rules':[{'http':{'paths':[{'path':'/','pathType':'Regex','back"
     "end':{'service':{'name':'s','port':{'number':80}}}}]}}]}}",
     "spec.rules[0].http.paths[0].pathType FieldValueNotSupported Unsupported value: \"Regex\": suppor"
     "ted values: \"Exact\", \"ImplementationSpecific\", \"Prefix\"\n"},
    {&kind_ingress, "{'metadata':{'name':'x'},'spec':{'rules':[{'host':'10.0.0.1'},{'host':'*'},{'host':'A'}]}}",
     "spec.rules[0].host FieldValueInvalid Invalid value: \"10.0.0.1\": must be a DNS name, not an IP "
     "address\n"
     "spec.rules[1].host FieldValueInvalid Invalid value: \"*\": a wildcard DNS-1123 subdomain must st"
     "art with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric "
     "characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used "
     "for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')\n"
     "spec.rules[2].host FieldValueInvalid Invalid value: \"A\": a lowercase RFC 1123 subdomain must c"
     "onsist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanu"
     "meric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?"
     "(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')\n"},
    {&kind_ingress,
     "{'metadata':{'name':'x','annotations':{'kubernetes.io/ingress.class':'a'}},'spec':{'ingressClass"
     "Name':'b','defaultBackend':{'service':{'name':'s','port':{'number':70000}}}}}",
     "spec.defaultBackend.service.port.number FieldValueInvalid Invalid value: 70000: must be between "
     "1 and 65535, inclusive\n"
     "annotations.kubernetes.io/ingress.class FieldValueInvalid Invalid value: \"a\": must match `ingr"
     "essClassName` when both are specified\n"},
    {&kind_ingress,
     "{'metadata':{'name':'x'},'spec':{'rules':[{'host':'a'}],'tls':[{'hosts':['*.a','-'],'secretName'"
     ":'_'}]}}",
     "spec.tls[0].hosts[1] FieldValueInvalid Invalid value: \"-\": a lowercase RFC 1123 subdomain must"
     " consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alpha"
     "numeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9]"
     ")?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')\n"
     "spec.tls[0].secretName FieldValueInvalid Invalid value: \"_\": a lowercase RFC 1123 subdomain mu"
     "st consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alp"
     "hanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-"
     "9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')\n"},
    {&kind_ingressclass, "{'metadata':{'name':'x'}}", "spec.controller FieldValueRequired Required value\n"},
    {&kind_ingressclass, "{'metadata':{'name':'x'},'spec':{'controller':'nginx','parameters':{'scope':'Namespace'}}}",
     "spec.parameters.kind FieldValueRequired Required value: kind is required\n"
     "spec.parameters.name FieldValueRequired Required value: name is required\n"
     "spec.parameters.namespace FieldValueRequired Required value: `parameters.scope` is set to 'Names"
     "pace'\n"
     "spec.controller FieldValueInvalid Invalid value: \"nginx\": must be a domain-prefixed path (such"
     " as \"acme.io/foo\")\n"},
    {&kind_ingressclass,
     "{'metadata':{'name':'x'},'spec':{'controller':'A/b','parameters':{'kind':'K','name':'n','scope':"
     "'Pod'}}}",
     "spec.parameters.scope FieldValueNotSupported Unsupported value: \"Pod\": supported values: \"Clu"
     "ster\", \"Namespace\"\n"
     "spec.controller FieldValueInvalid Invalid value: \"A\": a lowercase RFC 1123 subdomain must cons"
     "ist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumer"
     "ic character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?("
     "\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')\n"},
    {&kind_ingressclass,
     "{'metadata':{'name':'x'},'spec':{'controller':'a/b','parameters':{'kind':'K','name':'n','namespa"
     "ce':'n'}}}",
     "spec.parameters.namespace FieldValueForbidden Forbidden: `parameters.scope` is set to 'Cluster'"
     "\n"},
    {&kind_networkpolicy, "{'metadata':{'name':'x'},'spec':{'podSelector':{},'ingress':[{'from':[{}]}]}}",
     "spec.ingress[0].from[0] FieldValueRequired Required value: must specify a peer\n"},
    {&kind_networkpolicy,
     "{'metadata':{'name':'x'},'spec':{'podSelector':{},'ingress':[{'from':[{'podSelector':{},'ipBlock"
     "':{'cidr':'10.0.0.0/8'}}]}]}}",
     "spec.ingress[0].from[0] FieldValueForbidden Forbidden: may not specify both ipBlock and another "
     "peer\n"},
    {&kind_networkpolicy,
     "{'metadata':{'name':'x'},'spec':{'podSelector':{},'ingress':[{'from':[{'ipBlock':{'cidr':'10.0.0"
     ".0/33'}},{'ipBlock':{'cidr':'10.0.0.0/8','except':['11.0.0.0/16','10.0.0.0/8','x']}},{'ipBlock':"
     "{}}]}]}}",
     "spec.ingress[0].from[0].ipBlock.cidr FieldValueInvalid Invalid value: \"10.0.0.0/33\": must be a"
     " valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)\n"
     "spec.ingress[0].from[1].ipBlock.except[0] FieldValueInvalid Invalid value: \"11.0.0.0/16\": must"
     " be a strict subset of `cidr`\n"
     "spec.ingress[0].from[1].ipBlock.except[1] FieldValueInvalid Invalid value: \"10.0.0.0/8\": must "
     "be a strict subset of `cidr`\n"
     "spec.ingress[0].from[1].ipBlock.except[2] FieldValueInvalid Invalid value: \"x\": must be a vali"
     "d CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)\n"
     "spec.ingress[0].from[2].ipBlock.cidr FieldValueRequired Required value\n"},
    {&kind_networkpolicy,
     "{'metadata':{'name':'x'},'spec':{'podSelector':{},'ingress':[{'ports':[{'protocol':'ICMP'},{'por"
     "t':0},{'port':'A'},{'port':80,'endPort':79},{'port':'a','endPort':80},{'endPort':80}]}]}}",
     "spec.ingress[0].ports[0].protocol FieldValueNotSupported Unsupported value: \"ICMP\": supported "
     "values: \"TCP\", \"UDP\", \"SCTP\"\n"
     "spec.ingress[0].ports[1].port FieldValueInvalid Invalid value: 0: must be between 1 and 65535, i"
     "nclusive\n"
     "spec.ingress[0].ports[2].port FieldValueInvalid Invalid value: \"A\": must contain only alpha-nu"
     "meric characters (a-z, 0-9), and hyphens (-)\n"
     "spec.ingress[0].ports[3].endPort FieldValueInvalid Invalid value: 79: must be greater than or eq"
     "ual to `port`\n"
     "spec.ingress[0].ports[4].endPort FieldValueInvalid Invalid value: 80: may not be specified when "
     "`port` is non-numeric\n"
     "spec.ingress[0].ports[5].endPort FieldValueInvalid Invalid value: 80: may not be specified when "
     "`port` is not specified\n"},
    {&kind_networkpolicy, "{'metadata':{'name':'x'},'spec':{'podSelector':{},'policyTypes':['In']}}",
     "spec.policyTypes[0] FieldValueNotSupported Unsupported value: \"In\": supported values: \"Ingres"
     "s\", \"Egress\"\n"},
    {&kind_networkpolicy,
     "{'metadata':{'name':'x'},'spec':{'podSelector':{'matchExpressions':[{'key':'a','operator':'In'}]"
     "},'policyTypes':['Ingress','Egress','Ingress']}}",
     "spec.podSelector.matchExpressions[0].values FieldValueRequired Required value: must be specified"
     " when `operator` is 'In' or 'NotIn'\n"
     "spec.policyTypes FieldValueInvalid Invalid value: []string{\"Ingress\", \"Egress\", \"Ingress\"}"
     ": may not specify more than two policyTypes\n"},
    {&kind_storageclass,
     "{'metadata':{'name':'x'},'reclaimPolicy':'Recycle','volumeBindingMode':'Later','parameters':{'':"
     "'a'}}",
     "provisioner FieldValueRequired Required value\n"
     "parameters FieldValueInvalid Invalid value: \"\": field can not be empty.\n"
     "reclaimPolicy FieldValueNotSupported Unsupported value: \"Recycle\": supported values: \"Delete"
     "\", \"Retain\"\n"
     "volumeBindingMode FieldValueNotSupported Unsupported value: \"Later\": supported values: \"Immed"
     "iate\", \"WaitForFirstConsumer\"\n"},
    {&kind_storageclass,
     "{'metadata':{'name':'x'},'provisioner':'a/b/c','allowedTopologies':[{'matchLabelExpressions':[{'"
     "key':'a','values':['x','x']},{'key':'a','values':[]}]}]}",
     "provisioner FieldValueInvalid Invalid value: \"a/b/c\": a qualified name must consist of alphanu"
     "meric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. '"
     "MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*"
     ")?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')\n"
     "allowedTopologies[0].matchLabelExpressions[0].values[1] FieldValueDuplicate Duplicate value: \"x"
     "\"\n"
     "allowedTopologies[0].matchLabelExpressions[1].values FieldValueRequired Required value\n"
     "allowedTopologies[0].matchLabelExpressions[1].key FieldValueDuplicate Duplicate value: \"a\"\n"},
    {&kind_csidriver,
     "{'metadata':{'name':'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'},'spec':{"
     "'fsGroupPolicy':'Some','volumeLifecycleModes':['Once'],'tokenRequests':[{'audience':'a','expirat"
     "ionSeconds':1},{'audience':'a'}]}}",
     "spec.volumeLifecycleModes FieldValueNotSupported Unsupported value: \"Once\": supported values: "
     "\"Persistent\", \"Ephemeral\"\n"
     "spec.fsGroupPolicy FieldValueNotSupported Unsupported value: \"Some\": supported values: \"File"
     "\", \"None\", \"ReadWriteOnceWithFSType\"\n"
     "spec.tokenRequests[1].audience FieldValueDuplicate Duplicate value: \"a\"\n"
     "spec.tokenRequests[0].expirationSeconds FieldValueInvalid Invalid value: 1: may not specify a du"
     "ration less than 10 minutes\n"
     "metadata.name FieldValueTooLong Too long: may not be more than 63 bytes\n"},
    {&kind_csinode,
     "{'metadata':{'name':'x'},'spec':{'drivers':[{'nodeID':'n','allocatable':{'count':-1}},{'name':'a"
     "','nodeID':'nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
     "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
     "nnnnnnnnnnnnn','topologyKeys':['','a','a','-']},{'name':'a'}]}}",
     "spec.drivers[0].allocatable.count FieldValueInvalid Invalid value: -1: must be greater than or e"
     "qual to 0\n"
     "spec.drivers[0].name FieldValueRequired Required value\n"
     "spec.drivers[1].nodeID FieldValueInvalid Invalid value: \"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
     "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
     "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\": must be 192 characters or less\n"
     "spec.drivers[1].topologyKeys FieldValueRequired Required value\n"
     "spec.drivers[1].topologyKeys FieldValueDuplicate Duplicate value: \"a\"\n"
     "spec.drivers[1].topologyKeys FieldValueInvalid Invalid value: \"-\": name part must consist of a"
     "lphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character ("
     "e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0"
     "-9_.]*)?[A-Za-z0-9]')\n"
     "spec.drivers[2].nodeID FieldValueRequired Required value\n"
     "spec.drivers[2].name FieldValueDuplicate Duplicate value: \"a\"\n"},
    {&kind_csistoragecapacity, "{'metadata':{'name':'x'},'capacity':'-1'}",
     "storageClassName FieldValueRequired Required value\n"
     "capacity FieldValueInvalid Invalid value: \"-1\": must be greater than or equal to 0\n"},
    {&kind_volumeattachment, "{'metadata':{'name':'x'},'spec':{}}",
     "spec.source FieldValueRequired Required value: must specify exactly one of inlineVolumeSpec and "
     "persistentVolumeName\n"
     "spec.attacher FieldValueRequired Required value\n"
     "spec.nodeName FieldValueInvalid Invalid value: \"\": a lowercase RFC 1123 subdomain must consist"
     " of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric "
     "character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a"
     "-z0-9]([-a-z0-9]*[a-z0-9])?)*')\n"},
    {&kind_volumeattachment,
     "{'metadata':{'name':'x'},'spec':{'attacher':'d_','nodeName':'n','source':{'persistentVolumeName'"
     ":''}}}",
     "spec.source.persistentVolumeName FieldValueRequired Required value: must specify non empty persi"
     "stentVolumeName\n"
     "spec.attacher FieldValueInvalid Invalid value: \"d_\": a lowercase RFC 1123 subdomain must consi"
     "st of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeri"
     "c character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\."
     "[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')\n"},
    {&kind_priorityclass, "{'metadata':{'name':'x'},'value':1000000001,'preemptionPolicy':'Always'}",
     "preemptionPolicy FieldValueNotSupported Unsupported value: \"Always\": supported values: \"Preem"
     "ptLowerPriority\", \"Never\"\n"
     "value FieldValueForbidden Forbidden: maximum allowed value of a user defined priority is 1000000"
     "000\n"},
    {&kind_priorityclass, "{'metadata':{'name':'system-mine'},'value':1}",
     "metadata.name FieldValueForbidden Forbidden: priority class names with 'system-' prefix are rese"
     "rved for system use only. error: system-mine is not a known system priority class\n"},
    {&kind_priorityclass, "{'metadata':{'name':'system-node-critical'},'value':1}",
     "metadata.name FieldValueForbidden Forbidden: priority class names with 'system-' prefix are rese"
     "rved for system use only. error: value of system-node-critical PriorityClass must be 2000001000"
     "\n"},
    {&kind_runtimeclass,
     "{'metadata':{'name':'x'},'overhead':{'podFixed':{'gpu':'1'}},'scheduling':{'tolerations':[{'oper"
     "ator':'Equal'}]}}",
     "handler FieldValueRequired Required value\n"
     "overhead.podFixed[gpu] FieldValueInvalid Invalid value: \"gpu\": must be a standard resource typ"
     "e or fully qualified\n"
     "overhead.podFixed[gpu] FieldValueInvalid Invalid value: \"gpu\": must be a standard resource for"
     " containers\n"
     "scheduling.tolerations[0].operator FieldValueInvalid Invalid value: \"Equal\": operator must be "
     "Exists when `key` is empty, which means \"match all values and all keys\"\n"},
    {&kind_runtimeclass, "{'metadata':{'name':'x'},'handler':'A'}",
     "handler FieldValueInvalid Invalid value: \"A\": a lowercase RFC 1123 label must consist of lower"
     " case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g"
     ". 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')\n"},
    {&kind_certificatesigningrequest,
     "{'metadata':{'name':'x'},'spec':{'request':'YQ==','signerName':'x','expirationSeconds':1}}",
     "spec.request FieldValueInvalid Invalid value: []byte{0x61}: PEM block type must be CERTIFICATE R"
     "EQUEST\n"
     "spec.signerName FieldValueInvalid Invalid value: \"x\": must be a fully qualified domain and pat"
     "h of the form \"example.com/signer-name\"\n"
     "spec.expirationSeconds FieldValueInvalid Invalid value: 1: may not specify a duration less than "
     "600 seconds (10 minutes)\n"
     "spec.usages FieldValueRequired Required value\n"},
    {&kind_certificatesigningrequest,
     "{'metadata':{'name':'x'},'spec':{'signerName':'nodot/s','usages':['any','flying','any']}}",
     "spec.usages[1] FieldValueNotSupported Unsupported value: \"flying\": supported values: \"any\", "
     "\"cert sign\", \"client auth\", \"code signing\", \"content commitment\", \"crl sign\", \"data e"
     "ncipherment\", \"decipher only\", \"digital signature\", \"email protection\", \"encipher only\""
     ", \"ipsec end system\", \"ipsec tunnel\", \"ipsec user\", \"key agreement\", \"key encipherment"
     "\", \"microsoft sgc\", \"netscape sgc\", \"ocsp signing\", \"s/mime\", \"server auth\", \"signin"
     "g\", \"timestamping\"\n"
     "spec.usages[2] FieldValueDuplicate Duplicate value: \"any\"\n"
     "spec.signerName FieldValueInvalid Invalid value: \"nodot\": should be a domain with at least two"
     " segments separated by dots\n"
     "spec.request FieldValueInvalid Invalid value: []byte(nil): PEM block type must be CERTIFICATE RE"
     "QUEST\n"},
    {&kind_validatingadmissionpolicy, "{'metadata':{'name':'x'},'spec':{'failurePolicy':'Maybe'}}",
     "spec.failurePolicy FieldValueNotSupported Unsupported value: \"Maybe\": supported values: \"Fail"
     "\", \"Ignore\"\n"
     "spec.matchConstraints FieldValueRequired Required value\n"
     "spec.validations FieldValueRequired Required value: validations or auditAnnotations must be non-"
     "empty\n"
     "spec.auditAnnotations FieldValueRequired Required value: validations or auditAnnotations must be"
     " non-empty\n"},
    {&kind_validatingadmissionpolicy,
     "{'metadata':{'name':'x'},'spec':{'matchConstraints':{'resourceRules':[{'operations':['*'],'apiGr"
     "oups':['*'],'apiVersions':['*'],'resources':['*']}]},'paramKind':{},'validations':[{'expression'"
     ":' ','reason':'Bored'},{'expression':'a\\n','messageExpression':' '}],'variables':[{'name':'1'}]"
     ",'auditAnnotations':[{'key':'k'}],'matchConditions':[{'name':'a'}]}}",
     "spec.paramKind.apiVersion FieldValueRequired Required value\n"
     "spec.paramKind.kind FieldValueRequired Required value\n"
     "spec.validations[0].reason FieldValueNotSupported Unsupported value: \"Bored\": supported values"
     ": \"Forbidden\", \"Invalid\", \"RequestEntityTooLarge\", \"Unauthorized\"\n"
     "spec.validations[0].expression FieldValueRequired Required value: expression is not specified\n"
     "spec.validations[1].messageExpression FieldValueInvalid Invalid value: \" \": must be non-empty "
     "if specified\n"
     "spec.validations[1].message FieldValueRequired Required value: message must be specified if expr"
     "ession contains line breaks\n"
     "spec.auditAnnotations[0].valueExpression FieldValueRequired Required value: valueExpression is n"
     "ot specified\n"
     "spec.matchConditions[0].expression FieldValueRequired Required value\n"
     "spec.variables[0].name FieldValueInvalid Invalid value: \"1\": name is not a valid CEL identifie"
     "r\n"
     "spec.variables[0].expression FieldValueRequired Required value: expression is not specified\n"},
    {&kind_validatingadmissionpolicybinding, "{'metadata':{'name':'x'},'spec':{'paramRef':{}}}",
     "spec.paramRef FieldValueRequired Required value: one of name or selector must be specified\n"
     "spec.paramRef.parameterNotFoundAction FieldValueRequired Required value\n"
     "spec.policyName FieldValueRequired Required value\n"
     "spec.validationActions FieldValueRequired Required value: at least one validation action is requ"
     "ired\n"},
    {&kind_validatingadmissionpolicybinding,
     "{'metadata':{'name':'x'},'spec':{'policyName':'p','validationActions':['Deny','Warn','Deny','Sho"
     "ut'],'paramRef':{'name':'n','selector':{},'parameterNotFoundAction':'Ask'}}}",
     "spec.paramRef.parameterNotFoundAction FieldValueNotSupported Unsupported value: \"Ask\": support"
     "ed values: \"Allow\", \"Deny\"\n"
     "spec.paramRef.name FieldValueForbidden Forbidden: name and selector are mutually exclusive\n"
     "spec.validationActions[3] FieldValueNotSupported Unsupported value: \"Shout\": supported values:"
     " \"Audit\", \"Deny\", \"Warn\"\n"
     "spec.validationActions[2] FieldValueDuplicate Duplicate value: \"Deny\"\n"
     "spec.validationActions FieldValueInvalid Invalid value: []string{\"Deny\", \"Warn\", \"Deny\", "
     "\"Shout\"}: must not contain both Deny and Warn (repeating the same validation failure informati"
     "on in the API response and headers serves no purpose)\n"},
    {&kind_mutatingwebhookconfiguration, "{'metadata':{'name':'x'},'webhooks':[{}]}",
     "webhooks[0].name FieldValueRequired Required value\n"
     "webhooks[0].clientConfig FieldValueRequired Required value: exactly one of url or service is req"
     "uired\n"
     "webhooks[0].sideEffects FieldValueRequired Required value: must specify one of None, NoneOnDryRu"
     "n\n"
     "webhooks[0].admissionReviewVersions FieldValueRequired Required value: must specify one of v1, v"
     "1beta1\n"},
    {&kind_mutatingwebhookconfiguration,
     "{'metadata':{'name':'x'},'webhooks':[{'name':'a.b','clientConfig':{'url':'http://u@h?q#f','servi"
     "ce':{'namespace':'n','name':'s','path':'p','port':0}},'sideEffects':'Some','admissionReviewVersi"
     "ons':['v9','v9'],'failurePolicy':'F','matchPolicy':'M','timeoutSeconds':31,'reinvocationPolicy':"
     "'R','rules':[{'operations':['*','GET'],'apiGroups':['*','a'],'resources':['*/*','pods','pods/*',"
     "'pods/log'],'scope':'S'}]}]}",
     "webhooks[0].name FieldValueInvalid Invalid value: \"a.b\": should be a domain with at least thre"
     "e segments separated by dots\n"
     "webhooks[0].clientConfig.service.port FieldValueInvalid Invalid value: 0: port is not valid: mus"
     "t be between 1 and 65535, inclusive\n"
     "webhooks[0].clientConfig.service.path FieldValueInvalid Invalid value: \"p\": must start with a "
     "'/'\n"
     "webhooks[0].clientConfig.url FieldValueInvalid Invalid value: \"http\": 'https' is the only allo"
     "wed URL scheme; desired format: https://host[/path]\n"
     "webhooks[0].clientConfig.url FieldValueInvalid Invalid value: \"u\": user information is not per"
     "mitted in the URL\n"
     "webhooks[0].clientConfig.url FieldValueInvalid Invalid value: \"f\": fragments are not permitted"
     " in the URL\n"
     "webhooks[0].clientConfig.url FieldValueInvalid Invalid value: \"q\": query parameters are not pe"
     "rmitted in the URL\n"
     "webhooks[0].clientConfig FieldValueRequired Required value: exactly one of url or service is req"
     "uired\n"
     "webhooks[0].rules[0].operations FieldValueInvalid Invalid value: []string{\"*\", \"GET\"}: if '*"
     "' is present, must not specify other operations\n"
     "webhooks[0].rules[0].operations[1] FieldValueNotSupported Unsupported value: \"GET\": supported "
     "values: \"*\", \"CONNECT\", \"CREATE\", \"DELETE\", \"UPDATE\"\n"
     "webhooks[0].rules[0].apiGroups FieldValueInvalid Invalid value: []string{\"*\", \"a\"}: if '*' i"
     "s present, must not specify other API groups\n"
     "webhooks[0].rules[0].resources[3] FieldValueInvalid Invalid value: \"pods/log\": if 'pods/*' is "
     "present, must not specify pods/log\n"
     "webhooks[0].rules[0].resources FieldValueInvalid Invalid value: []string{\"*/*\", \"pods\", \"po"
     "ds/*\", \"pods/log\"}: if '*/*' is present, must not specify other resources\n"
     "webhooks[0].rules[0].scope FieldValueNotSupported Unsupported value: \"S\": supported values: \""
     "*\", \"Cluster\", \"Namespaced\"\n"
     "webhooks[0].rules[0].apiVersions FieldValueRequired Required value\n"
     "webhooks[0].failurePolicy FieldValueNotSupported Unsupported value: \"F\": supported values: \"F"
     "ail\", \"Ignore\"\n"
     "webhooks[0].sideEffects FieldValueNotSupported Unsupported value: \"Some\": supported values: \""
     "None\", \"NoneOnDryRun\"\n"
     "webhooks[0].timeoutSeconds FieldValueInvalid Invalid value: 31: the timeout value must be betwee"
     "n 1 and 30 seconds\n"
     "webhooks[0].admissionReviewVersions[1] FieldValueInvalid Invalid value: \"v9\": duplicate versio"
     "n\n"
     "webhooks[0].admissionReviewVersions FieldValueInvalid Invalid value: []string{\"v9\", \"v9\"}: m"
     "ust include at least one of v1, v1beta1\n"
     "webhooks[0].matchPolicy FieldValueNotSupported Unsupported value: \"M\": supported values: \"Equ"
     "ivalent\", \"Exact\"\n"
     "webhooks[0].reinvocationPolicy FieldValueNotSupported Unsupported value: \"R\": supported values"
     ": \"IfNeeded\", \"Never\"\n"},
    {&kind_validatingwebhookconfiguration,
     "{'metadata':{'name':'x'},'webhooks':[{'name':'a.b.c','clientConfig':{'url':'https://h'},'sideEff"
     "ects':'None','admissionReviewVersions':['v1']},{'name':'a.b.c','clientConfig':{'url':'https://h'"
     "},'sideEffects':'None','admissionReviewVersions':['v1']}]}",
     "webhooks[1].name FieldValueDuplicate Duplicate value: \"a.b.c\"\n"},
    {&kind_customresourcedefinition, "{'metadata':{'name':'x'},'spec':{}}",
     "spec.group FieldValueRequired Required value\n"
     "spec.names.plural FieldValueRequired Required value\n"
     "spec.names.singular FieldValueRequired Required value\n"
     "spec.names.kind FieldValueRequired Required value\n"
     "spec.names.listKind FieldValueRequired Required value\n"
     "spec.scope FieldValueRequired Required value\n"
     "spec.versions FieldValueRequired Required value\n"
     "metadata.name FieldValueInvalid Invalid value: \"x\": must be spec.names.plural+\".\"+spec.group"
     "\n"},
    {&kind_customresourcedefinition,
     "{'metadata':{'name':'x'},'spec':{'group':'nodot','scope':'Namespaced','names':{'plural':'Ws','ki"
     "nd':'W_','listKind':'W_','shortNames':['A'],'categories':['a.b']},'versions':[{'name':'v1','serv"
     "ed':true,'storage':true,'schema':{'openAPIV3Schema':{'type':'object'}}}]}}",
     "spec.group FieldValueInvalid Invalid value: \"nodot\": should be a domain with at least one dot"
     "\n"
     "spec.names.plural FieldValueInvalid Invalid value: \"Ws\": a DNS-1035 label must consist of lowe"
     "r case alphanumeric characters or '-', start with an alphabetic character, and end with an alpha"
     "numeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*"
     "[a-z0-9])?')\n"
     "spec.names.singular FieldValueInvalid Invalid value: \"w_\": a DNS-1035 label must consist of lo"
     "wer case alphanumeric characters or '-', start with an alphabetic character, and end with an alp"
     "hanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9"
     "]*[a-z0-9])?')\n"
     "spec.names.kind FieldValueInvalid Invalid value: \"W_\": may have mixed case, but should otherwi"
     "se match: a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with"
     " an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123',"
     " regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')\n"
     "spec.names.listKind FieldValueInvalid Invalid value: \"W_\": may have mixed case, but should oth"
     "erwise match: a DNS-1035 label must consist of lower case alphanumeric characters or '-', start "
     "with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-1"
     "23', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')\n"
     "spec.names.listKind FieldValueInvalid Invalid value: \"W_\": kind and listKind may not be the sa"
     "me\n"
     "spec.names.shortNames[0] FieldValueInvalid Invalid value: \"A\": a DNS-1035 label must consist o"
     "f lower case alphanumeric characters or '-', start with an alphabetic character, and end with an"
     " alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-"
     "z0-9]*[a-z0-9])?')\n"
     "spec.names.categories[0] FieldValueInvalid Invalid value: \"a.b\": a DNS-1035 label must consist"
     " of lower case alphanumeric characters or '-', start with an alphabetic character, and end with "
     "an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-"
     "a-z0-9]*[a-z0-9])?')\n"
     "metadata.name FieldValueInvalid Invalid value: \"x\": must be spec.names.plural+\".\"+spec.group"
     "\n"},
    {&kind_customresourcedefinition,
     "{'metadata':{'name':'ws.example.com'},'spec':{'group':'example.com','scope':'Namespaced','names'"
     ":{'plural':'ws','kind':'W'},'versions':[{'name':'v1','served':true,'storage':true},{'name':'v1',"
     "'served':true,'storage':true,'deprecationWarning':'w','schema':{'openAPIV3Schema':{'type':'strin"
     "g'}}}]}}",
     "spec.versions FieldValueInvalid Invalid value: []apiextensions.CustomResourceDefinitionVersion{a"
     "piextensions.CustomResourceDefinitionVersion{Name:\"v1\", Served:true, Storage:true}, apiextensi"
     "ons.CustomResourceDefinitionVersion{Name:\"v1\", Served:true, Storage:true}}: must contain uniqu"
     "e version names\n"
     "spec.versions FieldValueInvalid Invalid value: []apiextensions.CustomResourceDefinitionVersion{a"
     "piextensions.CustomResourceDefinitionVersion{Name:\"v1\", Served:true, Storage:true}, apiextensi"
     "ons.CustomResourceDefinitionVersion{Name:\"v1\", Served:true, Storage:true}}: must have exactly "
     "one version marked as storage version\n"
     "spec.versions[0].schema.openAPIV3Schema FieldValueRequired Required value: schemas are required"
     "\n"
     "spec.versions[1].deprecationWarning FieldValueInvalid Invalid value: \"w\": can only be set for "
     "deprecated versions\n"
     "spec.versions[1].schema.openAPIV3Schema.type FieldValueInvalid Invalid value: \"string\": must b"
     "e object at the root\n"},
    {&kind_customresourcedefinition,
     "{'metadata':{'name':'ws.example.com'},'spec':{'group':'example.com','scope':'Namespaced','names'"
     ":{'plural':'ws','kind':'W'},'versions':[{'name':'V1','served':true,'storage':false,'additionalPr"
     "interColumns':[{'type':'text'}],'schema':{'openAPIV3Schema':{'type':'object','properties':{'a':{"
     "},'b':{'type':'array'},'c':{'type':'array','items':{}},'d':{'type':'strin'},'e':{'type':'object'"
     ",'additionalProperties':false},'f':{'type':'object','properties':{'x':{'type':'string'}},'additi"
     "onalProperties':{'type':'string'}},'g':{'type':'array','items':[{}]},'h':{'type':'object','$ref'"
     ":'#','uniqueItems':true,'x-kubernetes-list-type':'map'},'i':{'x-kubernetes-int-or-string':true}}"
     "}}}]}}",
     "spec.versions FieldValueInvalid Invalid value: []apiextensions.CustomResourceDefinitionVersion{a"
     "piextensions.CustomResourceDefinitionVersion{Name:\"V1\", Served:true, Storage:false}}: must hav"
     "e exactly one version marked as storage version\n"
     "spec.versions[0].schema.openAPIV3Schema.properties[d].type FieldValueNotSupported Unsupported va"
     "lue: \"strin\": supported values: \"array\", \"boolean\", \"integer\", \"number\", \"object\", "
     "\"string\"\n"
     "spec.versions[0].schema.openAPIV3Schema.properties[e].additionalProperties FieldValueForbidden F"
     "orbidden: additionalProperties cannot be set to false\n"
     "spec.versions[0].schema.openAPIV3Schema.properties[f].additionalProperties FieldValueForbidden F"
     "orbidden: additionalProperties and properties are mutual exclusive\n"
     "spec.versions[0].schema.openAPIV3Schema.properties[g].items FieldValueForbidden Forbidden: items"
     " must be a schema object and not an array\n"
     "spec.versions[0].schema.openAPIV3Schema.properties[h].$ref FieldValueForbidden Forbidden: $ref i"
     "s not supported\n"
     "spec.versions[0].schema.openAPIV3Schema.properties[h].uniqueItems FieldValueForbidden Forbidden:"
     " uniqueItems cannot be set to true since the runtime complexity becomes quadratic\n"
     "spec.versions[0].schema.openAPIV3Schema.properties[h].type FieldValueInvalid Invalid value: \"ob"
     "ject\": must be array if x-kubernetes-list-type is specified\n"
     "spec.versions[0].schema.openAPIV3Schema.properties[h].x-kubernetes-list-map-keys FieldValueRequi"
     "red Required value: must not be empty if x-kubernetes-list-type is map\n"
     "spec.versions[0].additionalPrinterColumns[0].name FieldValueRequired Required value\n"
     "spec.versions[0].additionalPrinterColumns[0].type FieldValueNotSupported Unsupported value: \"te"
     "xt\": supported values: \"boolean\", \"date\", \"integer\", \"number\", \"string\"\n"
     "spec.versions[0].additionalPrinterColumns[0].jsonPath FieldValueRequired Required value\n"
     "spec.versions[0].name FieldValueInvalid Invalid value: \"V1\": a DNS-1035 label must consist of "
     "lower case alphanumeric characters or '-', start with an alphabetic character, and end with an a"
     "lphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0"
     "-9]*[a-z0-9])?')\n"
     "spec.versions[0].schema.openAPIV3Schema.properties[a].type FieldValueRequired Required value: mu"
     "st not be empty for specified object fields\n"
     "spec.versions[0].schema.openAPIV3Schema.properties[b].items FieldValueRequired Required value: m"
     "ust be specified\n"
     "spec.versions[0].schema.openAPIV3Schema.properties[c].items.type FieldValueRequired Required val"
     "ue: must not be empty for specified array items\n"},
    {&kind_customresourcedefinition,
     "{'metadata':{'name':'ws.example.com'},'spec':{'group':'example.com','scope':'Namespaced','names'"
     ":{'plural':'ws','kind':'W'},'versions':[{'name':'v1','served':true,'storage':true,'schema':{'ope"
     "nAPIV3Schema':{'type':'object','properties':{'a':{'type':'array','items':{'type':'string','maxLe"
     "ngth':'x'}}}}}}]}}",
     "spec.versions[0].schema.openAPIV3Schema.properties[a].items FieldValueInvalid Invalid value: \"n"
     "ull\": json: cannot unmarshal string into Go struct field JSONSchemaProps.maxLength of type int6"
     "4\n"},
    {&kind_customresourcedefinition,
     "{'metadata':{'name':'ws.example.com'},'spec':{'group':'example.com','scope':'Namespaced','names'"
     ":{'plural':'ws','kind':'W'},'versions':[{'name':'v1','served':true,'storage':true,'schema':{'ope"
     "nAPIV3Schema':{'type':'object'}}}],'preserveUnknownFields':true,'conversion':{'strategy':'Webhoo"
     "k'}}}",
     "spec.conversion.webhook.clientConfig FieldValueRequired Required value: required when strategy i"
     "s set to Webhook\n"
     "spec.preserveUnknownFields FieldValueInvalid Invalid value: true: must be false\n"},
    {&kind_customresourcedefinition,
     "{'metadata':{'name':'ws.example.com'},'spec':{'group':'example.com','scope':'Namespaced','names'"
     ":{'plural':'ws','kind':'W'},'versions':[{'name':'v1','served':true,'storage':true,'schema':{'ope"
     "nAPIV3Schema':{'type':'object'}}}],'conversion':{'strategy':'None','webhook':{'clientConfig':{},"
     "'conversionReviewVersions':['v1']}}}}",
     "spec.conversion.webhook.clientConfig FieldValueRequired Required value: exactly one of url or se"
     "rvice is required\n"
     "spec.conversion.webhook FieldValueForbidden Forbidden: should not be set when strategy is not se"
     "t to Webhook\n"},
    {&kind_apiservice, "{'metadata':{'name':'x'},'spec':{}}",
     "spec.groupPriorityMinimum FieldValueInvalid Invalid value: 0: must be positive and less than 200"
     "00\n"
     "spec.versionPriority FieldValueInvalid Invalid value: 0: must be positive and less than 1000\n"
     "spec.group FieldValueRequired Required value: only v1 may have an empty group and it better be l"
     "egacy kube\n"
     "spec.version FieldValueInvalid Invalid value: \"\": a DNS-1035 label must consist of lower case "
     "alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric"
     " character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9"
     "])?')\n"
     "metadata.name FieldValueInvalid Invalid value: \"x\": must be `spec.version+\".\"+spec.group`: "
     "\".\"\n"},
    {&kind_apiservice,
     "{'metadata':{'name':'v1.'},'spec':{'version':'v1','groupPriorityMinimum':20001,'versionPriority'"
     ":1,'caBundle':'YWFh','insecureSkipTLSVerify':true}}",
     "spec.groupPriorityMinimum FieldValueInvalid Invalid value: 20001: must be positive and less than"
     " 20000\n"
     "spec.caBundle FieldValueInvalid Invalid value: \"3 bytes\": local APIServices may not have a caB"
     "undle\n"
     "spec.insecureSkipTLSVerify FieldValueInvalid Invalid value: true: local APIServices may not have"
     " insecureSkipTLSVerify\n"},
    {&kind_apiservice,
     "{'metadata':{'name':'v1.a'},'spec':{'group':'a','version':'v1','groupPriorityMinimum':1,'version"
     "Priority':1,'caBundle':'YWFh','insecureSkipTLSVerify':true,'service':{'port':0}}}",
     "spec.service.port FieldValueInvalid Invalid value: 0: must be between 1 and 65535, inclusive\n"
     "spec.service.namespace FieldValueRequired Required value\n"
     "spec.service.name FieldValueRequired Required value\n"
     "spec.insecureSkipTLSVerify FieldValueInvalid Invalid value: true: may not be true if caBundle is"
     " present\n"},
    {&kind_flowschema,
     "{'metadata':{'name':'x'},'spec':{'matchingPrecedence':10001,'distinguisherMethod':{'type':'ByDay"
     "'},'rules':[{}]}}",
     "spec.priorityLevelConfiguration.name FieldValueRequired Required value: must reference a priorit"
     "y level\n"
     "spec.distinguisherMethod.type FieldValueNotSupported Unsupported value: \"ByDay\": supported val"
     "ues: \"ByNamespace\", \"ByUser\"\n"
     "spec.rules[0].subjects FieldValueRequired Required value: subjects must contain at least one val"
     "ue\n"
     "spec.rules[0] FieldValueRequired Required value: at least one of resourceRules and nonResourceRu"
     "les has to be non-empty\n"
     "spec.matchingPrecedence FieldValueInvalid Invalid value: 10001: must not be greater than 10000\n"},
    {&kind_flowschema,
     "{'metadata':{'name':'x'},'spec':{'matchingPrecedence':-1,'priorityLevelConfiguration':{'name':'p"
     "'},'rules':[{'subjects':[{'kind':'User','group':{'name':'g'}},{'kind':'Robot'},{'kind':'ServiceA"
     "ccount','serviceAccount':{}}],'resourceRules':[{'verbs':['*','get'],'apiGroups':[],'namespaces':"
     "['*','a']},{'verbs':['get'],'apiGroups':['*'],'resources':['pods']}],'nonResourceRules':[{}]}]}}",
     "spec.rules[0].subjects[0].user FieldValueRequired Required value: user is required when subject "
     "kind is 'User'\n"
     "spec.rules[0].subjects[0].group FieldValueForbidden Forbidden: group is forbidden when subject k"
     "ind is not 'Group'\n"
     "spec.rules[0].subjects[1].kind FieldValueNotSupported Unsupported value: \"Robot\": supported va"
     "lues: \"Group\", \"ServiceAccount\", \"User\"\n"
     "spec.rules[0].subjects[2].serviceAccount.namespace FieldValueRequired Required value\n"
     "spec.rules[0].subjects[2].serviceAccount.name FieldValueRequired Required value\n"
     "spec.rules[0].resourceRules[0].verbs FieldValueInvalid Invalid value: []string{\"*\", \"get\"}: "
     "if '*' is present, must not specify other verbs\n"
     "spec.rules[0].resourceRules[0].apiGroups FieldValueRequired Required value: resource rules must "
     "supply at least one api group\n"
     "spec.rules[0].resourceRules[0].resources FieldValueRequired Required value: resource rules must "
     "supply at least one resource\n"
     "spec.rules[0].resourceRules[0].namespaces FieldValueInvalid Invalid value: []string{\"*\", \"a\""
     "}: if '*' is present, must not specify other namespaces\n"
     "spec.rules[0].resourceRules[1].namespaces FieldValueRequired Required value: resource rules that"
     " are not cluster scoped must supply at least one namespace\n"
     "spec.rules[0].nonResourceRules[0].verbs FieldValueRequired Required value: verbs must contain at"
     " least one value\n"
     "spec.rules[0].nonResourceRules[0].nonResourceURLs FieldValueRequired Required value: nonResource"
     "URLs must contain at least one value\n"
     "spec.matchingPrecedence FieldValueInvalid Invalid value: -1: must be a positive value\n"},
    {&kind_flowschema,
     "{'metadata':{'name':'x'},'spec':{'matchingPrecedence':1,'priorityLevelConfiguration':{'name':'p'"
     "}}}",
     "spec.matchingPrecedence FieldValueInvalid Invalid value: 1: only the schema named 'exempt' may h"
     "ave matchingPrecedence 1\n"},
    {&kind_prioritylevelconfiguration,
     "{'metadata':{'name':'x'},'spec':{'type':'Exempt','limited':{'nominalConcurrencyShares':-1,'limit"
     "Response':{'type':'Reject','queuing':{}}}}}",
     "spec.limited.nominalConcurrencyShares FieldValueInvalid Invalid value: -1: must be a non-negativ"
     "e integer\n"
     "spec.limited.limitResponse.queuing FieldValueForbidden Forbidden: must be nil if limited.limitRe"
     "sponse.type is not Limited\n"
     "spec.type FieldValueInvalid Invalid value: \"Exempt\": type must be 'Exempt' if and only if name"
     " is 'exempt'\n"
     "spec.limited FieldValueForbidden Forbidden: must be nil if the type is not Limited\n"},
    {&kind_prioritylevelconfiguration,
     "{'metadata':{'name':'x'},'spec':{'type':'Limited','exempt':{'lendablePercent':101}}}",
     "spec.exempt.lendablePercent FieldValueInvalid Invalid value: 101: must be between 0 and 100, inc"
     "lusive\n"
     "spec.limited FieldValueRequired Required value: must not be empty when type is Limited\n"
     "spec.exempt FieldValueForbidden Forbidden: must be nil if the type is Limited\n"},
    {&kind_prioritylevelconfiguration,
     "{'metadata':{'name':'x'},'spec':{'type':'Limited','limited':{'borrowingLimitPercent':-1,'limitRe"
     "sponse':{'type':'Queue','queuing':{'queues':4,'handSize':8,'queueLengthLimit':-1}}}}}",
     "spec.limited.limitResponse.queuing.queueLengthLimit FieldValueInvalid Invalid value: -1: must be"
     " positive\n"
     "spec.limited.limitResponse.queuing.handSize FieldValueInvalid Invalid value: 8: should not be gr"
     "eater than queues (4)\n"
     "spec.limited.borrowingLimitPercent FieldValueInvalid Invalid value: -1: if specified, must be a "
     "non-negative integer\n"},
    {&kind_prioritylevelconfiguration,
     "{'metadata':{'name':'x'},'spec':{'type':'Limited','limited':{'limitResponse':{'type':'Queue','qu"
     "euing':{'queues':1000,'handSize':8}}}}}",
     "spec.limited.limitResponse.queuing.handSize FieldValueInvalid Invalid value: 8: required entropy"
     " bits of deckSize 1000 and handSize 8 should not be greater than 60\n"},
    {&kind_prioritylevelconfiguration,
     "{'metadata':{'name':'x'},'spec':{'type':'Some','limited':{'limitResponse':{'type':'Drop'}}}}",
     "spec.type FieldValueNotSupported Unsupported value: \"Some\": supported values: \"Exempt\", \"Li"
     "mited\"\n"
     "spec.limited.limitResponse.type FieldValueNotSupported Unsupported value: \"Drop\": supported va"
     "lues: \"Queue\", \"Reject\"\n"},
    {&kind_event_v1, "{'metadata':{'name':'x'},'regarding':{'namespace':'ns'}}",
     "eventTime FieldValueRequired Required value\n"
     "reportingController FieldValueRequired Required value\n"
     "reportingInstance FieldValueRequired Required value\n"
     "action FieldValueRequired Required value\n"
     "reason FieldValueRequired Required value\n"
     "type FieldValueInvalid Invalid value: \"\": has invalid value: \n"},
    {&kind_event_v1,
     "{'metadata':{'name':'x'},'eventTime':'2026-01-02T03:04:05.000001Z','reportingController':'-','re"
     "portingInstance':'i','action':'A','reason':'R','type':'Odd','regarding':{'kind':'Pod','name':'p'"
     ",'namespace':'ns'},'deprecatedCount':1,'deprecatedSource':{'host':'h'},'note':'nnnnnnnnnnnnnnnnn"
     "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
     "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
     "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
     "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
     "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
     "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
     "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
     "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
     "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
     "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
     "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn','series':{'count':1}}",
     "series.lastObservedTime FieldValueRequired Required value\n"
     "series.count FieldValueInvalid Invalid value: \"\": should be at least 2\n"
     "reportingController FieldValueInvalid Invalid value: \"-\": name part must consist of alphanumer"
     "ic characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyN"
     "ame',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?["
     "A-Za-z0-9]')\n"
     "type FieldValueInvalid Invalid value: \"\": has invalid value: Odd\n"
     "message FieldValueInvalid Invalid value: \"\": can have at most 1024 characters\n"
     "count FieldValueInvalid Invalid value: \"\": needs to be unset\n"
     "source FieldValueInvalid Invalid value: \"\": needs to be unset\n"},
    {&kind_event_v1,
     "{'metadata':{'name':'x'},'eventTime':'2026-01-02T03:04:05.000001Z','reportingController':'exampl"
     "e.com/c','reportingInstance':'i','action':'A','reason':'R','type':'Normal','regarding':{'kind':'"
     "Pod','name':'p','namespace':'other'}}",
     "involvedObject.namespace FieldValueInvalid Invalid value: \"other\": does not match event.namesp"
     "ace\n"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct json_doc *d = json_doc_new();
        struct verb_facts v;
        struct verb_result r = {0};
        struct failure f = {0};
        struct buf causes = {0};
        facts_of(refused[i].kind, NULL, &v);
        assert_int_not_equal(verb_create(&v, d, parse(d, refused[i].in), &r, &f), 0);
        causes_text(&f, &causes);
        same(refused[i].in, &causes, refused[i].causes);
        buf_release(&r.bytes);
        buf_release(&causes);
        failure_release(&f);
        json_doc_free(d);
    }
}

/* --- what never changes --- */

static const struct {
    const struct kind *kind;
    const char *patch, *causes; /* of the kind's sample above; NULL: is allowed */
} changes[] = {
    {&kind_ingressclass, "{'spec':{'controller':'example.com/d'}}",
     "spec.controller FieldValueInvalid Invalid value: \"example.com/d\": field is immutable\n"},
    {&kind_storageclass,
     "{'provisioner':'p','parameters':{'a':'b'},'reclaimPolicy':'Retain','volumeBindingMode':'WaitForF"
     "irstConsumer'}",
     "parameters FieldValueForbidden Forbidden: updates to parameters are forbidden.\n"
     "provisioner FieldValueForbidden Forbidden: updates to provisioner are forbidden.\n"
     "reclaimPolicy FieldValueForbidden Forbidden: updates to reclaimPolicy are forbidden.\n"
     "volumeBindingMode FieldValueInvalid Invalid value: \"WaitForFirstConsumer\": field is immutable"
     "\n"},
    {&kind_storageclass, "{'allowVolumeExpansion':true,'mountOptions':['ro']}", NULL},
    {&kind_csidriver, "{'spec':{'attachRequired':false,'volumeLifecycleModes':['Ephemeral']}}",
     "spec.attachedRequired FieldValueInvalid Invalid value: false: field is immutable\n"
     "spec.volumeLifecycleModes FieldValueInvalid Invalid value: []string{\"Ephemeral\"}: field is imm"
     "utable\n"},
    {&kind_csidriver, "{'spec':{'storageCapacity':true,'podInfoOnMount':true,'fsGroupPolicy':'File'}}", NULL},
    {&kind_csinode, "{'spec':{'drivers':[{'name':'d','nodeID':'other'}]}}",
     "CSINode FieldValueInvalid Invalid value: \"x\": field is immutable\n"},
    {&kind_csinode, "{'spec':{'drivers':null}}", NULL},
    {&kind_csistoragecapacity, "{'storageClassName':'d','nodeTopology':{'matchLabels':{'a':'b'}}}",
     "nodeTopology FieldValueInvalid Invalid value: v1.LabelSelector{MatchLabels:map[string]string{\"a"
     "\":\"b\"}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is immutable\n"
     "storageClassName FieldValueInvalid Invalid value: \"d\": field is immutable\n"},
    {&kind_csistoragecapacity, "{'capacity':'2Gi'}", NULL},
    {&kind_volumeattachment, "{'spec':{'nodeName':'m'}}",
     "spec FieldValueInvalid Invalid value: storage.VolumeAttachmentSpec{Attacher:\"d\", Source:storag"
     "e.VolumeAttachmentSource{PersistentVolumeName:\"v\"}, NodeName:\"m\"}: field is immutable\n"},
    {&kind_priorityclass, "{'value':1,'preemptionPolicy':'Never'}",
     "value FieldValueForbidden Forbidden: may not be changed in an update.\n"
     "preemptionPolicy FieldValueInvalid Invalid value: \"Never\": field is immutable\n"},
    {&kind_priorityclass, "{'description':'d','globalDefault':true}", NULL},
    {&kind_runtimeclass, "{'handler':'i'}", "handler FieldValueInvalid Invalid value: \"i\": field is immutable\n"},
    {&kind_certificatesigningrequest, "{'spec':{'usages':['signing']}}", NULL},
    {&kind_customresourcedefinition, "{'spec':{'group':'example.org'}}",
     "metadata.name FieldValueInvalid Invalid value: \"ws.example.com\": must be spec.names.plural+\"."
     "\"+spec.group\n"
     "spec.group FieldValueInvalid Invalid value: \"example.org\": field is immutable\n"},
    {&kind_customresourcedefinition, "{'spec':{'scope':'Cluster'}}", NULL},
    {&kind_customresourcedefinition,
     "{'spec':{'versions':[{'name':'v2','served':true,'storage':true,'schema':{'openAPIV3Schema':{'typ"
     "e':'object'}}}]}}",
     "status.storedVersions[0] FieldValueInvalid Invalid value: \"v1\": missing from spec.versions; v1"
     " was previously a storage version, and must remain in spec.versions until a storage migration en"
     "sures no data remains persisted in v1 and removes v1 from status.storedVersions\n"},
    {&kind_event_v1, "{'note':'other'}", "message FieldValueInvalid Invalid value: \"other\": field is immutable\n"},
    {&kind_event_v1, "{'series':{'count':2,'lastObservedTime':'2026-01-02T03:04:06.000000Z'}}", NULL},
};

static void test_changes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        struct json_doc *d = json_doc_new();
        struct verb_facts v;
        struct verb_result r = {0};
        struct failure f = {0};
        struct buf causes = {0};
        struct json *made = NULL;
        size_t s = 0;
        while (samples[s].kind != changes[i].kind)
            s++;
        create(samples[s].kind, d, samples[s].in, &made);
        facts_of(samples[s].kind, NULL, &v);
        v.name = json_string_at(made, "metadata.name");
        int code = verb_patch(&v, d, made, 7, PATCH_TYPE_MERGE, parse(d, changes[i].patch), &r, &f);
        assert_int_equal(code == 0, changes[i].causes == NULL);
        causes_text(&f, &causes);
        same(changes[i].patch, &causes, changes[i].causes == NULL ? "" : changes[i].causes);
        buf_release(&r.bytes);
        buf_release(&causes);
        failure_release(&f);
        json_doc_free(d);
    }
}

/* --- rows --- */

static const struct {
    const struct kind *kind;
    const char *object, *row;
} rows[] = {
    {&kind_ingress,
     "{'metadata':{'name':'x','creationTimestamp':'2026-01-02T03:04:00Z'},'spec':{'ingressClassName':'"
     "c','tls':[{}],'rules':[{'host':'a'},{'host':'b'},{},{'host':'c'},{'host':'d'}]},'status':{'loadB"
     "alancer':{'ingress':[{'ip':'1.2.3.4'},{'hostname':'h'}]}}}",
     "['x','c','a,b,c + 1 more...','1.2.3.4,h','80, 443','5s']"},
    {&kind_ingress, "{'metadata':{'name':'x','creationTimestamp':'2026-01-02T03:04:00Z'},'spec':{}}",
     "['x','<none>','*','','80','5s']"},
    {&kind_ingressclass,
     "{'metadata':{'name':'x','creationTimestamp':'2026-01-02T03:04:00Z'},'spec':{'controller':'c','pa"
     "rameters':{'apiGroup':'g','kind':'K','name':'n'}}}",
     "['x','c','K.g/n','5s']"},
    {&kind_ingressclass,
     "{'metadata':{'name':'x','creationTimestamp':'2026-01-02T03:04:00Z'},'spec':{'controller':'c'}}",
     "['x','c','<none>','5s']"},
    {&kind_networkpolicy,
     "{'metadata':{'name':'x','creationTimestamp':'2026-01-02T03:04:00Z'},'spec':{'podSelector':{'matc"
     "hLabels':{'a':'b'}}}}",
     "['x','a=b','5s']"},
    {&kind_storageclass,
     "{'metadata':{'name':'x','annotations':{'storageclass.kubernetes.io/is-default-class':'true'}},'p"
     "rovisioner':'p','reclaimPolicy':'Retain','allowVolumeExpansion':true}",
     "['x (default)','p','Retain','Immediate',true,'<unknown>']"},
    {&kind_csidriver,
     "{'metadata':{'name':'x','creationTimestamp':'2026-01-02T03:04:00Z'},'spec':{'attachRequired':fal"
     "se,'volumeLifecycleModes':['Persistent','Ephemeral'],'tokenRequests':[{'audience':'a'},{'audienc"
     "e':''}]}}",
     "['x',false,false,false,'a,',false,'Persistent,Ephemeral','5s']"},
    {&kind_csidriver, "{'metadata':{'name':'x','creationTimestamp':'2026-01-02T03:04:00Z'},'spec':{}}",
     "['x',true,false,false,'<unset>',false,'<none>','5s']"},
    {&kind_csinode, "{'metadata':{'name':'x','creationTimestamp':'2026-01-02T03:04:00Z'},'spec':{'drivers':[{},{}]}}",
     "['x',2,'5s']"},
    {&kind_csistoragecapacity,
     "{'metadata':{'name':'x','creationTimestamp':'2026-01-02T03:04:00Z'},'storageClassName':'c'}",
     "['x','c','<unset>']"},
    {&kind_volumeattachment,
     "{'metadata':{'name':'x','creationTimestamp':'2026-01-02T03:04:00Z'},'spec':{'attacher':'a','node"
     "Name':'n','source':{'persistentVolumeName':'v'}},'status':{'attached':true}}",
     "['x','a','v','n',true,'5s']"},
    {&kind_priorityclass,
     "{'metadata':{'name':'x','creationTimestamp':'2026-01-02T03:04:00Z'},'value':5,'globalDefault':tr"
     "ue}",
     "['x',5,true,'5s']"},
    {&kind_runtimeclass, "{'metadata':{'name':'x','creationTimestamp':'2026-01-02T03:04:00Z'},'handler':'h'}",
     "['x','h','5s']"},
    {&kind_certificatesigningrequest,
     "{'metadata':{'name':'x','creationTimestamp':'2026-01-02T03:04:00Z'},'spec':{'signerName':'s','us"
     "ername':'u','expirationSeconds':86400},'status':{'certificate':'eA==','conditions':[{'type':'Den"
     "ied'},{'type':'Failed'}]}}",
     "['x','5s','s','u','24h','Denied,Failed,Issued']"},
    {&kind_validatingadmissionpolicy,
     "{'metadata':{'name':'x','creationTimestamp':'2026-01-02T03:04:00Z'},'spec':{'paramKind':{'apiVer"
     "sion':'v1','kind':'ConfigMap'},'validations':[{}]}}",
     "['x',1,'v1/ConfigMap','5s']"},
    {&kind_validatingadmissionpolicybinding,
     "{'metadata':{'name':'x','creationTimestamp':'2026-01-02T03:04:00Z'},'spec':{'policyName':'p','pa"
     "ramRef':{'name':'n','namespace':'s'}}}",
     "['x','p','s/n','5s']"},
    {&kind_validatingadmissionpolicybinding,
     "{'metadata':{'name':'x','creationTimestamp':'2026-01-02T03:04:00Z'},'spec':{'policyName':'p'}}",
     "['x','p','<unset>','5s']"},
    {&kind_mutatingwebhookconfiguration,
     "{'metadata':{'name':'x','creationTimestamp':'2026-01-02T03:04:00Z'},'webhooks':[{},{}]}", "['x',2,'5s']"},
    {&kind_validatingwebhookconfiguration, "{'metadata':{'name':'x','creationTimestamp':'2026-01-02T03:04:00Z'}}",
     "['x',0,'5s']"},
    {&kind_customresourcedefinition, "{'metadata':{'name':'x','creationTimestamp':'2026-01-02T03:04:00Z'}}",
     "['x','2026-01-02T03:04:00Z']"},
    {&kind_apiservice,
     "{'metadata':{'name':'x','creationTimestamp':'2026-01-02T03:04:00Z'},'spec':{'service':{'name':'s"
     "','namespace':'n'}},'status':{'conditions':[{'type':'Available','status':'False','reason':'Missi"
     "ng'}]}}",
     "['x','n/s','False (Missing)','5s']"},
    {&kind_apiservice, "{'metadata':{'name':'x','creationTimestamp':'2026-01-02T03:04:00Z'},'spec':{}}",
     "['x','Local','Unknown','5s']"},
    {&kind_flowschema,
     "{'metadata':{'name':'x','creationTimestamp':'2026-01-02T03:04:00Z'},'spec':{'priorityLevelConfig"
     "uration':{'name':'p'},'matchingPrecedence':7,'distinguisherMethod':{'type':'ByUser'}},'status':{"
     "'conditions':[{'type':'Dangling','status':'True'}]}}",
     "['x','p',7,'ByUser','5s','True']"},
    {&kind_prioritylevelconfiguration,
     "{'metadata':{'name':'x','creationTimestamp':'2026-01-02T03:04:00Z'},'spec':{'type':'Exempt'}}",
     "['x','Exempt','<none>','<none>','<none>','<none>','5s']"},
    {&kind_prioritylevelconfiguration,
     "{'metadata':{'name':'x','creationTimestamp':'2026-01-02T03:04:00Z'},'spec':{'type':'Limited','li"
     "mited':{'nominalConcurrencyShares':1,'limitResponse':{'queuing':{'queues':2,'handSize':3,'queueL"
     "engthLimit':4}}}}}",
     "['x','Limited',1,2,3,4,'5s']"},
    {&kind_event_v1,
     "{'metadata':{'name':'x','creationTimestamp':'2026-01-02T03:04:00Z'},'reason':'R','type':'Normal'"
     ",'note':'m','regarding':{'kind':'Pod','name':'p'},'eventTime':'2026-01-02T03:03:05.000000Z','rep"
     "ortingController':'c','reportingInstance':'i'}",
     "['60s','Normal','R','pod/p','','c, i','m','60s',1,'x']"},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct json_doc *d = json_doc_new();
        struct buf row = {0}, wanted = {0}, definitions = {0};
        struct json *columns = NULL;
        columns_row(rows[i].kind, parse(d, rows[i].object), &(struct column_now){NOW_US / 1000}, &row);
        json_print(parse(d, rows[i].row), &wanted);
        same(rows[i].kind->name, &row, wanted.data);
        columns_definitions(rows[i].kind, &definitions);
        assert_ok(json_parse(d, buf_slice(&definitions), &columns, NULL));
        assert_int_equal(json_size(columns), json_size(parse(d, rows[i].row)));
        buf_release(&row);
        buf_release(&wanted);
        buf_release(&definitions);
        json_doc_free(d);
    }
}

/* --- signing requests --- */

#define PEM "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KeAotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K"

/* Who asks is known to the server; what is decided through `approval` stays when the signer writes through `status`. */
static void test_signing_request(void **state)
{
    (void)state;
    struct json_doc *d = json_doc_new();
    const struct kind *k = &kind_certificatesigningrequest;
    struct user user = {.name = SLICE("bob"), .uid = SLICE("7"), .groups = {SLICE("dev")}, .group_count = 1};
    struct verb_facts v;
    struct verb_result r = {0};
    struct failure f = {0};
    struct json *made = NULL, *approved = NULL, *issued = NULL;
    facts_of(k, &user, &v);
    assert_ok(verb_create(&v, d,
                          parse(d, "{'metadata':{'name':'c'},'spec':{'request':'" PEM "','signerName':'example.com/s',"
                                   "'usages':['any'],'username':'liar','groups':['system:masters']}}"),
                          &r, &f));
    assert_ok(json_parse(d, buf_slice(&r.bytes), &made, NULL));
    assert_slice_equal(json_string_at(made, "spec.username"), "bob");
    assert_slice_equal(json_string(json_element(json_at(made, "spec.groups"), 0)), "dev");
    buf_reset(&r.bytes);
    v.name = SLICE("c");
    v.subresource = "approval";
    assert_ok(verb_patch(&v, d, made, 7, PATCH_TYPE_MERGE,
                         parse(d, "{'spec':{'usages':['signing']},'status':{'certificate':'eA==','conditions':["
                                  "{'type':'Approved','status':'True'},{'type':'Other','status':'True'}]}}"),
                         &r, &f));
    assert_ok(json_parse(d, buf_slice(&r.bytes), &approved, NULL));
    struct buf text = {0};
    json_print(json_get(approved, "status"), &text);
    assert_string_equal(text.data,
                        "{\"conditions\":[{\"type\":\"Approved\",\"lastUpdateTime\":\"2026-01-02T03:04:05Z\","
                        "\"lastTransitionTime\":\"2026-01-02T03:04:05Z\",\"status\":\"True\"}]}");
    assert_slice_equal(json_string(json_element(json_at(approved, "spec.usages"), 0)), "any");
    buf_reset(&r.bytes);
    v.subresource = "status";
    assert_ok(verb_patch(&v, d, approved, 8, PATCH_TYPE_MERGE,
                         parse(d, "{'status':{'certificate':'eA==','conditions':null}}"), &r, &f));
    assert_ok(json_parse(d, buf_slice(&r.bytes), &issued, NULL));
    buf_reset(&text);
    columns_row(k, issued, &(struct column_now){NOW_US / 1000}, &text);
    assert_string_equal(text.data, "[\"c\",\"0s\",\"example.com/s\",\"bob\",\"<none>\",\"Approved,Issued\"]");
    buf_reset(&r.bytes);
    v.subresource = "approval";
    assert_int_not_equal(
        verb_patch(&v, d, issued, 9, PATCH_TYPE_MERGE, parse(d, "{'status':{'conditions':[]}}"), &r, &f), 0);
    buf_reset(&text);
    causes_text(&f, &text);
    assert_string_equal(
        text.data,
        "status.conditions FieldValueForbidden Forbidden: updates may not remove a condition of type \"Approved\"\n");
    buf_release(&text);
    buf_release(&r.bytes);
    failure_release(&f);
    json_doc_free(d);
}

/* --- events of both versions --- */

static void test_event_versions(void **state)
{
    (void)state;
    static const char stored[] =
        "{'metadata':{'name':'e'},'involvedObject':{'kind':'Pod'},'reason':'R','message':'m','source':{'component':'c'}"
        ","
        "'firstTimestamp':null,'lastTimestamp':'2026-01-02T03:04:05Z','count':2,'type':'Normal','eventTime':null,"
        "'reportingComponent':'x'}";
    static const char shown[] =
        "{'metadata':{'name':'e'},'reason':'R','type':'Normal','eventTime':null,'regarding':{'kind':'Pod'},'note':'m',"
        "'deprecatedSource':{'component':'c'},'deprecatedFirstTimestamp':null,"
        "'deprecatedLastTimestamp':'2026-01-02T03:04:05Z','deprecatedCount':2,'reportingController':'x'}";
    struct json_doc *d = json_doc_new();
    struct json *o = parse(d, stored);
    kind_event_v1.from_stored(d, o);
    assert_true(json_equal(o, parse(d, shown)));
    kind_event_v1.to_stored(d, o);
    assert_true(json_equal(o, parse(d, stored)));
    json_doc_free(d);
}

/* --- what every cluster has --- */

/* Each bootstrap object of these groups is one that the apiserver takes, and each served version has its APIService. */
static void test_bootstrap_objects(void **state)
{
    (void)state;
    struct bootstrap_object o;
    size_t levels = 0, schemas = 0;
    for (size_t i = 0; bootstrap_object_at(i, &o); i++) {
        struct json_doc *d = json_doc_new();
        struct buf text = {0};
        struct json *made = NULL;
        const struct kind *const *k = kinds_all();
        while (strcmp((*k)->name, o.kind) != 0)
            k++;
        bootstrap_object_print(i, 6443, &text);
        create(*k, d, text.data, &made);
        assert_slice_equal(json_string_at(made, "metadata.name"), o.name);
        levels += *k == &kind_prioritylevelconfiguration ? 1 : 0;
        schemas += *k == &kind_flowschema ? 1 : 0;
        buf_release(&text);
        json_doc_free(d);
    }
    assert_int_equal(levels, 8);
    assert_int_equal(schemas, 13);
    for (const struct kind *const *k = kinds_all(); *k != NULL; k++) {
        struct buf name = {0};
        bool found = strcmp((*k)->group, "apiregistration.k8s.io") == 0; /* Kubernetes has none for itself */
        buf_printf(&name, "%s.%s", (*k)->version, (*k)->group);
        for (size_t i = 0; bootstrap_group_name(i) != NULL && !found; i++)
            found = strcmp(bootstrap_group_name(i), name.data) == 0;
        if (!found)
            fail_msg("no APIService %s", name.data);
        buf_release(&name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),       cmocka_unit_test(test_again),
        cmocka_unit_test(test_refused),        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_rows),           cmocka_unit_test(test_signing_request),
        cmocka_unit_test(test_event_versions), cmocka_unit_test(test_bootstrap_objects),
    };
    return RUN_TESTS(tests);
}
