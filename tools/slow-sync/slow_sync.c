/* A disk with slower syncs than this machine's: every fdatasync(2) of the processes that this is loaded into takes
 * SLOW_SYNC_US microseconds longer. For the question what a server does on another disk; see
 * docs/decisions/where-the-time-goes.md, "What this machine leaves of the disk's rate".
 *
 *   cc -shared -fPIC -O2 -o slow_sync.so tools/slow-sync/slow_sync.c -ldl
 *   SLOW_SYNC_US=1150 LD_PRELOAD=$PWD/slow_sync.so target/release/bench --only none --rates none --label slow-sync
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int fdatasync(int file) {
    int (*of_libc)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    const char *microseconds = getenv("SLOW_SYNC_US");
    long long wait_ns = microseconds ? atoll(microseconds) * 1000 : 0;
    struct timespec wait = {wait_ns / 1000000000, wait_ns % 1000000000};
    int result = of_libc(file);
    nanosleep(&wait, NULL);
    return result;
}
