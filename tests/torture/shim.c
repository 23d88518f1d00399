// Stands between a program and the C library (LD_PRELOAD), counts what it does to the files under FAULT_ROOT, and does
// something bad at the operation FAULT_AT, counted from 1:
//   FAULT_HOW=kill   the process is gone before it
//   FAULT_HOW=torn   of a write, half is done, and the process is gone
//   FAULT_HOW=cut    as kill, and what was written and not synced is gone too, as after a power cut
//   FAULT_HOW=fail   it fails (EIO), once
// FAULT_ROOM=N: from the byte N on that is written, the disk is full. FAULT_COUNT=FILE: at the end, "OPERATIONS BYTES".
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

enum { TRACKED = 256 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *root, *how;
static long at, operations, room = -1, bytes;
// files that were written: a descriptor of our own, and how much of each is on the disk for certain
static struct { int fd; ino_t inode; off_t synced; } files[TRACKED];
static int tracked;

__attribute__((constructor)) static void begin(void) {
  root = getenv("FAULT_ROOT");
  how = getenv("FAULT_HOW");
  const char *number = getenv("FAULT_AT"), *limit = getenv("FAULT_ROOM");
  at = number ? atol(number) : 0;
  room = limit ? atol(limit) : -1;
}

__attribute__((destructor)) static void end(void) {
  const char *path = getenv("FAULT_COUNT");
  FILE *file = path ? fopen(path, "w") : NULL;
  if (file) {
    fprintf(file, "%ld %ld\n", operations, bytes);
    fclose(file);
  }
}

static int is(const char *what) { return how && !strcmp(how, what); }

static void die(void) {
  if (is("cut"))
    for (int i = 0; i < tracked; i++) {
      struct stat now;
      if (!fstat(files[i].fd, &now) && now.st_size > files[i].synced)
        REAL(ftruncate)(files[i].fd, files[i].synced);
    }
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

static int within(const char *path) {
  if (!root || !path) return 0;
  if (path[0] == '/') return !strncmp(path, root, strlen(root));
  char here[PATH_MAX];
  return getcwd(here, sizeof here) && !strncmp(here, root, strlen(root));
}

static int file_within(int fd) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = root ? readlink(link, path, sizeof path - 1) : -1;
  if (length < 0) return 0;
  path[length] = 0;
  return path[0] == '/' && within(path); // and no "pipe:[1234]"
}

// One more operation: it is not to be, and the errno is set; or it may be done. `torn`: half of it is to be done.
static int refused(int *torn) {
  pthread_mutex_lock(&lock);
  int now = ++operations == at;
  pthread_mutex_unlock(&lock);
  if (!now) return 0;
  if (is("fail")) {
    errno = EIO;
    return 1;
  }
  if (is("torn") && torn) *torn = 1;
  else die();
  return 0;
}

static void track(int fd, int created) {
  struct stat now;
  if (!is("cut") || fstat(fd, &now)) return;
  pthread_mutex_lock(&lock);
  int i = 0;
  while (i < tracked && files[i].inode != now.st_ino) i++;
  if (i == tracked && tracked < TRACKED) {
    files[tracked].fd = fcntl(fd, F_DUPFD_CLOEXEC, 600);
    files[tracked].inode = now.st_ino;
    files[tracked++].synced = created ? 0 : now.st_size;
  }
  pthread_mutex_unlock(&lock);
}

static void synced(int fd) {
  struct stat now;
  if (!is("cut") || fstat(fd, &now)) return;
  for (int i = 0; i < tracked; i++)
    if (files[i].inode == now.st_ino) files[i].synced = now.st_size;
}

// How many of these bytes there is room for; -1 and the errno where there is none.
static ssize_t fits(size_t count) {
  pthread_mutex_lock(&lock);
  ssize_t fit = count;
  if (room >= 0 && bytes + (long)count > room) fit = room > bytes ? room - bytes : 0;
  bytes += fit;
  pthread_mutex_unlock(&lock);
  if (fit == 0 && count > 0) {
    errno = ENOSPC;
    return -1;
  }
  return fit;
}

static int open_at(int folder, const char *path, int flags, mode_t mode) {
  int changes = flags & (O_CREAT | O_TRUNC), writes = (flags & O_ACCMODE) != O_RDONLY;
  int ours = writes && within(path);
  struct stat before;
  int new = ours && changes && fstatat(folder, path, &before, 0);
  if (ours && changes && refused(NULL)) return -1;
  int fd = REAL(openat)(folder, path, flags, mode);
  if (ours && fd >= 0) track(fd, new || flags & O_TRUNC);
  return fd;
}

#define OPEN(name, ...)                                                     \
  {                                                                         \
    mode_t mode = 0;                                                        \
    if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) {               \
      va_list more;                                                         \
      va_start(more, flags);                                                \
      mode = va_arg(more, int);                                             \
      va_end(more);                                                         \
    }                                                                       \
    return open_at(__VA_ARGS__, path, flags, mode);                         \
  }
int open(const char *path, int flags, ...) OPEN(open, AT_FDCWD)
int open64(const char *path, int flags, ...) OPEN(open64, AT_FDCWD)
int openat(int folder, const char *path, int flags, ...) OPEN(openat, folder)
int openat64(int folder, const char *path, int flags, ...) OPEN(openat64, folder)

ssize_t write(int fd, const void *data, size_t count) {
  if (!file_within(fd)) return REAL(write)(fd, data, count);
  int torn = 0;
  if (refused(&torn)) return -1;
  if (torn) {
    REAL(write)(fd, data, count / 2);
    die();
  }
  ssize_t fit = fits(count);
  return fit < 0 ? -1 : REAL(write)(fd, data, fit);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  if (!file_within(fd) || count < 1) return REAL(writev)(fd, parts, count);
  return write(fd, parts[0].iov_base, parts[0].iov_len);
}

ssize_t pwrite64(int fd, const void *data, size_t count, off64_t offset) {
  if (!file_within(fd)) return REAL(pwrite64)(fd, data, count, offset);
  if (refused(NULL)) return -1;
  ssize_t fit = fits(count);
  return fit < 0 ? -1 : REAL(pwrite64)(fd, data, fit, offset);
}

#define SYNC(name)                                       \
  int name(int fd) {                                     \
    if (!file_within(fd)) return REAL(name)(fd);         \
    if (refused(NULL)) return -1;                        \
    int done = REAL(name)(fd);                           \
    if (!done) synced(fd);                               \
    return done;                                         \
  }
SYNC(fsync)
SYNC(fdatasync)

int ftruncate64(int fd, off64_t length) {
  if (file_within(fd) && refused(NULL)) return -1;
  return REAL(ftruncate64)(fd, length);
}

int rename(const char *from, const char *to) {
  if ((within(from) || within(to)) && refused(NULL)) return -1;
  return REAL(rename)(from, to);
}

int symlink(const char *target, const char *path) {
  if (within(path) && refused(NULL)) return -1;
  return REAL(symlink)(target, path);
}

int unlink(const char *path) {
  if (within(path) && refused(NULL)) return -1;
  return REAL(unlink)(path);
}

int mkdir(const char *path, mode_t mode) {
  if (within(path) && refused(NULL)) return -1;
  return REAL(mkdir)(path, mode);
}
