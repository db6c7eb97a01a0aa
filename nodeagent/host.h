/* The machine as the node agent sees it: files of its own folder, mounts, cgroups, facts. host_linux.c is the only file
 * with those system calls. All calls are short and synchronous; what may take long (unpacking, pulling, the runtime) is a
 * process of its own through the proc seam. Errors name the path. */
#ifndef NODEAGENT_HOST_H
#define NODEAGENT_HOST_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"

/* Puts this process into a mount namespace of its own, in which a cgroup2 hierarchy beside cgroup v1 ("hybrid") is
 * covered, because crun refuses to run where it sees both. Mounts made inside never reach the machine; they end with the
 * last process of the namespace. ERR_PERMISSION without root. */
int host_private_mounts(struct err *reterr);

int host_mkdirs(const char *path, unsigned mode, struct err *reterr); /* with parents; existing is fine */
int host_write_file(const char *path, struct slice content, unsigned mode, struct err *reterr); /* whole or not at all */
int host_read_file(const char *path, uint64_t offset, size_t bytes_max, struct buf *out, struct err *reterr); /* appends */
/* `path` belongs to the group and what is made in it will, too; with `tree` also what is there, for reading. Only trees that
 * no container can write: their names are walked. */
int host_give_group(const char *path, int64_t gid, bool tree, struct err *reterr);
int host_symlink(const char *to, const char *path, struct err *reterr); /* takes the place of what is at `path` in one step */
int host_read_link(const char *path, struct buf *out);                  /* 0 or ERR_NOT_FOUND; appends */
/* An empty file system in memory at `path`, unless one is there already; size_bytes -1: no limit. */
int host_mount_memory(const char *path, int64_t size_bytes, struct err *reterr);
int host_rename(const char *from, const char *to, struct err *reterr);
int host_remove_tree(const char *path, struct err *reterr); /* absent is fine; never leaves the file system it starts on */
int host_list(const char *path, void (*each)(void *arg, const char *name), void *arg, struct err *reterr); /* byte order */

/* A name for FOLDER/NAME that fits a unix socket's address, however long the folder's path is. It lives as long as the
 * descriptor returned, to be closed by host_socket_path_close. ERR_NOT_FOUND and others, naming the folder. */
int host_socket_path(const char *folder, const char *name, char ret_path[108], int *ret_fd, struct err *reterr);
void host_socket_path_close(int fd);

struct host_stat {
    uint64_t size_bytes, inode;
    bool is_folder, is_socket, is_block, is_char;
};
int host_stat(const char *path, struct host_stat *ret); /* 0, ERR_NOT_FOUND, ERR_PERMISSION or ERR_IO */

/* Turns the deletion marks of an unpacked image layer into overlayfs ones: ".wh.NAME" into a 0/0 device, ".wh..wh..opq"
 * into the opaque attribute of its folder. */
int host_layer_marks(const char *path, struct err *reterr);

/* Does the process run (zombies do not) with `marker` among its arguments? Guards against a reused pid. */
bool host_process_is(int pid, const char *marker);

/* Cgroups. `path` is relative to the hierarchy ("keelson/kubepods/podX"); on version 1 a cgroup is a folder in each
 * controller the agent uses. */
int host_cgroup_version(void); /* 1 (also hybrid) or 2 */
int host_cgroup_make(const char *path, struct err *reterr);
int host_cgroup_write(const char *controller, const char *path, const char *file, const char *value, struct err *reterr);
void host_cgroup_remove(const char *path); /* with the empty cgroups below it; harmless when absent or busy */
void host_cgroup_kill(const char *path);   /* SIGKILL to every process in it and below */

struct host_facts {
    unsigned cpu_count;
    uint64_t memory_bytes, disk_bytes, open_files_max;
    uint64_t capabilities; /* what this process may hand on (CapBnd and CapPrm) */
    char kernel[64], os_image[128], machine_id[64], boot_id[64], system_uuid[64], architecture[32];
};
int host_facts(const char *folder, struct host_facts *ret, struct err *reterr);

/* Memory and space under pressure? For the node's conditions. */
struct host_usage {
    uint64_t memory_available_bytes, disk_free_bytes, disk_total_bytes;
};
int host_usage(const char *folder, struct host_usage *ret, struct err *reterr);

int host_self_program(char *path, size_t size, struct err *reterr); /* of this very process, for starting shims */

/* The shim: `nodeagent shim …` (see host_linux_shim.c). Returns the exit code of the process. */
int host_shim_main(int argc, char **argv);

/* Shared by host_linux.c and host_linux_shim.c. */
int host_cover_hybrid_cgroup(struct err *reterr);

#endif
