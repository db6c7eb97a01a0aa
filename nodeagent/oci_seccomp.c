#include "common/base.h"
#include "nodeagent/oci_seccomp.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/sched.h>

#define NONE (-1) /* no capability lifts it */

/* What container runtimes' default profiles keep back, by the capability that gives it again. What a kernel does not know
 * is passed over by the runtime. */
static const struct {
    int capability;
    const char *calls[24];
} banned[] = {
    {CAP_SYS_ADMIN, {"bpf", "clone3", "fanotify_init", "fsconfig", "fsmount", "fsopen", "fspick", "lookup_dcookie", "mount",
                     "mount_setattr", "move_mount", "open_tree", "perf_event_open", "quotactl", "quotactl_fd", "setdomainname",
                     "sethostname", "setns", "umount", "umount2", "unshare"}},
    {CAP_SYS_BOOT, {"reboot", "kexec_load", "kexec_file_load"}},
    {CAP_SYS_CHROOT, {"chroot"}},
    {CAP_SYS_MODULE, {"create_module", "delete_module", "finit_module", "init_module", "query_module"}},
    {CAP_SYS_PACCT, {"acct"}},
    {CAP_SYS_PTRACE, {"kcmp", "pidfd_getfd", "process_madvise", "process_vm_readv", "process_vm_writev"}},
    {CAP_SYS_RAWIO, {"iopl", "ioperm"}},
    {CAP_SYS_TIME, {"settimeofday", "stime", "clock_settime", "clock_settime64", "clock_adjtime", "clock_adjtime64"}},
    {CAP_SYS_TTY_CONFIG, {"vhangup"}},
    {CAP_SYS_NICE, {"get_mempolicy", "mbind", "set_mempolicy", "move_pages", "migrate_pages"}},
    {CAP_SYSLOG, {"syslog"}},
    {CAP_DAC_READ_SEARCH, {"open_by_handle_at"}},
    {NONE, {"_sysctl", "add_key", "get_kernel_syms", "io_uring_enter", "io_uring_register", "io_uring_setup", "keyctl",
            "nfsservctl", "pivot_root", "request_key", "swapoff", "swapon", "sysfs", "uselib", "userfaultfd", "ustat", "vm86",
            "vm86old"}},
};

static bool is_clone3(const char *call) { return strcmp(call, "clone3") == 0; }

/* clone3's flags cannot be looked at, so it is answered as if there were none: C libraries then fall back to clone. */
static void put_rule(struct json_doc *d, struct json *rules, const char *const *calls, bool clone3)
{
    struct json *rule = json_new_object(d), *names = json_new_array(d);
    for (; *calls != NULL; calls++)
        if (is_clone3(*calls) == clone3)
            json_append(names, json_new_str(d, *calls));
    if (json_size(names) == 0)
        return;
    json_set(d, rule, "names", names);
    json_set_str(d, rule, "action", "SCMP_ACT_ERRNO");
    json_set_int(d, rule, "errnoRet", clone3 ? ENOSYS : EPERM);
    json_append(rules, rule);
}

/* clone that makes a namespace: one rule for each flag, because a filter can compare under a mask, not ask for "any of". */
static void put_clone(struct json_doc *d, struct json *rules)
{
    static const int64_t flags[] = {CLONE_NEWNS,  CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                    CLONE_NEWUSER, CLONE_NEWPID,   CLONE_NEWNET};
    static const char *const clone[] = {"clone", NULL};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        struct json *args = json_new_array(d), *arg = json_new_object(d);
        json_set_int(d, arg, "index", 0);
        json_set_int(d, arg, "value", flags[i]);
        json_set_int(d, arg, "valueTwo", flags[i]);
        json_set_str(d, arg, "op", "SCMP_CMP_MASKED_EQ");
        json_append(args, arg);
        put_rule(d, rules, clone, false);
        json_set(d, json_element(rules, json_size(rules) - 1), "args", args);
    }
}

void oci_seccomp_put(struct json_doc *d, struct json *platform, uint64_t capabilities)
{
    struct json *seccomp = json_ensure_object(d, platform, "seccomp"), *rules = json_new_array(d);
    json_set_str(d, seccomp, "defaultAction", "SCMP_ACT_ALLOW");
    for (size_t i = 0; i < ARRAY_LEN(banned); i++) {
        if (banned[i].capability != NONE && (capabilities >> banned[i].capability & 1) != 0)
            continue;
        put_rule(d, rules, banned[i].calls, false);
        put_rule(d, rules, banned[i].calls, true);
    }
    if ((capabilities >> CAP_SYS_ADMIN & 1) == 0)
        put_clone(d, rules);
    json_set(d, seccomp, "syscalls", rules);
}
