/* The first process of every pod sandbox: keeps the pod's namespaces open, leaves no zombie where the pod shares one
 * process namespace, and ends on TERM or INT. Built statically into the pause image by tools/images.sh; not part of the
 * node agent. */
#include <signal.h>
#include <unistd.h>

static void on_end(int number)
{
    (void)number;
    _exit(0);
}

int main(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, end = {.sa_handler = on_end};
    if (sigaction(SIGCHLD, &ignore, NULL) != 0 || sigaction(SIGTERM, &end, NULL) != 0 || sigaction(SIGINT, &end, NULL) != 0)
        return 1; /* ignoring SIGCHLD makes the kernel reap */
    for (;;)
        (void)pause();
}
