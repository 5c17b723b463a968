/* Seam 1: everything that the operating system does for us.
 *
 * One file or a few per system implement it; nothing above it contains an OS #if.  Handles are file
 * descriptors on POSIX; PLATFORM_NO_HANDLE is none.  Functions return 0, or -1 with *err filled and
 * outputs untouched.  Times: monotonic milliseconds unless a name says otherwise.  One thread. */
#ifndef SVCMGR_PLATFORM_H
#define SVCMGR_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abilities.h"
#include "address.h"
#include "buffer.h"
#include "err.h"
#include "identity.h"

typedef intptr_t platform_handle;
#define PLATFORM_NO_HANDLE ((platform_handle)-1)

/* ---- What this system has -------------------------------------------------------------------- */

/* Whether a supervisor has a keeper (keeper.h) as its parent; else 'run' is the supervisor itself.
 */
bool platform_has_keeper(void);
/* What there is of what a configuration can ask for; NULL: all of it. */
const struct abilities *platform_abilities(void);
/* The handles that whoever started us has passed on, in their order: descriptors 3 and on, where
 * handles are descriptors.  None: it passed no more than that. */
platform_handle platform_given(size_t index);
/* Whether a passed socket is one of the descriptors from 3 on, as sd_listen_fds(3) has it; else it
 * keeps the number that it has here. */
bool platform_passes_descriptors(void);
/* The number that a program gets the index-th passed handle under. */
int64_t platform_passed_number(platform_handle handle, size_t index);

/* ---- Time ------------------------------------------------------------------------------------ */

#define PLATFORM_NEVER INT64_MAX

int64_t platform_now_ms(void);
int64_t platform_now_us(void);
int64_t platform_wall_us(void); /* since 1970, for people; never used to measure */
/* Unpredictable bytes from the system. */
int platform_random(void *bytes, size_t length, struct err *err);

/* ---- Files ----------------------------------------------------------------------------------- */

/* Reads a regular file of at most limit bytes.  A file that is not there: kind ERR_NO_SERVICE. */
int platform_read_file(const char *path, size_t limit, struct buffer *out, struct err *err);
/* The last 'limit' bytes of a file from offset 'from' on. */
int platform_read_tail(
        const char *path, int64_t from, size_t limit, struct buffer *out, struct err *err);
/* All or nothing: a reader sees the old text or the new. */
int platform_replace_file(
        const char *path, const char *data, size_t length, unsigned mode, struct err *err);
/* Makes path and its parents; what exists stays as it is. */
int platform_make_directory(const char *path, unsigned mode, struct err *err);
/* Fails (ERR_DENIED) unless path is a directory of ours that nobody else can write. */
int platform_check_private(const char *path, struct err *err);
/* Whether a file or directory (or, if it is missing, the directory that would hold it) can be
 * written to, and there is room. */
int platform_check_writable(const char *path, struct err *err);
int platform_remove_file(const char *path, struct err *err); /* missing is fine */
void platform_remove_directory(const char *path);            /* if it is empty */
int platform_rename(const char *from, const char *to, struct err *err);
/* Calls 'each' with every name in a directory but . and ..; a missing directory has none. */
int platform_list_directory(const char *path, void (*each)(void *context, const char *name),
        void *context, struct err *err);

struct platform_file {
    int64_t size;
    int64_t modified_ns;
    uint64_t file_id; /* with device_id: which file it is */
    uint64_t device_id;
    bool is_directory;
    bool is_symlink;
    bool is_socket;
    int64_t owner;
    unsigned mode; /* permission bits */
};
bool platform_stat(const char *path, struct platform_file *ret_file); /* does not follow a link */
bool platform_stat_target(const char *path, struct platform_file *ret_file); /* follows links */
bool platform_is_same_file(const char *a, const char *b); /* two paths to one file or directory */
bool platform_stat_handle(platform_handle handle, struct platform_file *ret_file);
bool platform_is_executable(const char *path);
/* NFS, SMB and their like: a directory there is seen by several machines. */
bool platform_is_network_file_system(const char *path);

/* A regular file to read from; missing: kind ERR_NO_SERVICE. */
int platform_open_to_read(const char *path, platform_handle *ret_handle, struct err *err);
/* Bytes from an offset on: as many as there are, 0 at the end, -1 on failure. */
long platform_read_at(platform_handle handle, int64_t offset, void *ret_data, size_t size);
/* A file to append to, made with mode 0600 if missing. */
int platform_open_log(const char *path, platform_handle *ret_handle, struct err *err);
/* A file that is written in place, made with mode 0600 if missing. */
int platform_open_state(const char *path, platform_handle *ret_handle, struct err *err);
/* Writes all of it at an offset, in one piece as far as the system allows. */
int platform_write_at(
        platform_handle handle, size_t offset, const void *data, size_t length, struct err *err);
/* Writes all of it; a short write that cannot be completed is an error (os_code says ENOSPC ...).
 */
int platform_write(platform_handle handle, const void *data, size_t length, struct err *err);
/* Several pieces in as few writes as can be. */
struct platform_piece {
    const void *data;
    size_t length;
};
#define PLATFORM_PIECES_MAX 64
int platform_write_pieces(
        platform_handle handle, const struct platform_piece *pieces, size_t count, struct err *err);
/* A regular file becomes empty; whoever appends to it goes on at its beginning. */
void platform_empty(platform_handle handle);
void platform_close(platform_handle handle);
/* Another handle for the same file or socket. */
int platform_duplicate(platform_handle handle, platform_handle *ret_handle, struct err *err);
platform_handle platform_standard_input(void);
platform_handle platform_standard_output(void);
platform_handle platform_standard_error(void);

/* ---- Terminals ------------------------------------------------------------------------------- */

bool platform_is_terminal(platform_handle handle);
int platform_terminal_width(platform_handle handle); /* columns; 80 when unknown */
/* False when it is unknown. */
bool platform_terminal_size(platform_handle handle, uint16_t *ret_rows, uint16_t *ret_cols);
int platform_terminal_resize(platform_handle handle, uint16_t rows, uint16_t cols, struct err *err);
/* A new pseudo-terminal: our side, and the one for a child that runs as uid. */
int platform_terminal_pair(
        uint32_t uid, platform_handle *ret_ours, platform_handle *ret_child, struct err *err);
/* The byte that means end of file to whoever reads the other side now: termios(3), VEOF. */
char platform_terminal_eof(platform_handle ours);
/* From now on every key of the terminal is a byte for whoever reads it, until it is restored (also
 * at exit). */
int platform_terminal_raw(platform_handle handle, struct err *err);
void platform_terminal_restore(void);

/* ---- Locks ----------------------------------------------------------------------------------- */

/* Opens (and makes) a lock file without following a link and tries to lock it for this process and
 * whoever gets a duplicate of the handle.  Held by somebody: kind ERR_DUPLICATE.  Never unlinked.
 */
int platform_lock(const char *path, platform_handle *ret_handle, struct err *err);
/* Whether somebody holds it; a missing file is not held. */
bool platform_is_locked(const char *path);
/* Processes that have it; returns how many were found, at most max. */
size_t platform_lock_holders(const char *path, int64_t *ret_pids, size_t max);
/* Where a duplicate holds nothing (platform_has_keeper() is false), a lock is handed over by these.
 * Locks it for whoever comes after the present holder: nobody else gets it from here on, and it
 * counts as held also when that one has let it go.  Somebody is the heir already: kind
 * ERR_DUPLICATE. */
int platform_lock_as_heir(const char *path, platform_handle *ret_handle, struct err *err);
/* It has let it go, or is about to: from now on it is ours like any other.  False if it was not had
 * by the deadline; then we go on as the heir. */
bool platform_lock_inherit(platform_handle lock, int64_t deadline_ms);
/* Writes the one line for people into a lock file that we hold. */
int platform_write_lock(platform_handle lock, const char *text, struct err *err);

/* ---- Users and paths ------------------------------------------------------------------------- */

#define PLATFORM_USER_BYTES 128
#define PLATFORM_HOME_BYTES 512
#define PLATFORM_PATH_BYTES 1024
/* The usual size of a page of memory, by which what is often written to is put together. */
#define PLATFORM_PAGE_BYTES 4096
#define PLATFORM_GROUPS_MAX 64

struct platform_user {
    uint32_t uid;
    uint32_t gid;
    char name[PLATFORM_USER_BYTES];
    char home[PLATFORM_HOME_BYTES];
    char shell[PLATFORM_USER_BYTES];
};

bool platform_is_privileged(void); /* root, or elevated */
uint32_t platform_uid(void);
/* From the user database, never from the environment.  Unknown: kind ERR_CONFIG. */
int platform_user_self(struct platform_user *ret_user, struct err *err);
int platform_user_by_name(const char *name, struct platform_user *ret_user, struct err *err);
bool platform_user_name(uint32_t uid, char *ret_name, size_t size);
int platform_group_by_name(const char *name, uint32_t *ret_gid, struct err *err);
/* All groups of a user, gid included. */
int platform_user_groups(const struct platform_user *user, uint32_t gid, uint32_t *ret_groups,
        size_t *ret_count, struct err *err);
/* LANG of the system, "" if it says nothing. */
void platform_system_language(char *ret_text, size_t size);
/* The default directories for configuration and state; "" when a user's home is needed and none is
 * usable. */
void platform_default_directories(bool system_scope, const struct platform_user *user,
        char *ret_config, char *ret_state, size_t size);
bool platform_host_name(char *ret_name, size_t size);
bool platform_working_directory(char *ret_path, size_t size);
const char *platform_environment(const char *name); /* of the caller; NULL if unset */
/* The variables that every program of this account begins with.  False, and nothing is told, where
 * the system has none of its own. */
bool platform_base_environment(
        void (*each)(void *context, const char *name, const char *value), void *context);
/* Whether two names, the first of this length, mean the same variable. */
bool platform_is_same_variable(const char *a, size_t length, const char *b);

/* "/x"; a drive's or a share's path on Windows. */
bool platform_is_absolute(const char *path);
/* Where a path leads, from the working directory; without a separator at its end. */
bool platform_absolute(const char *path, char *ret_path, size_t size);
/* The last part of a path: behind its last separator. */
const char *platform_file_name(const char *path);
/* Where programs run that belong to nobody in particular. */
const char *platform_root_directory(void);
/* Where programs are looked for, whoever launches: the base PATH. */
const char *platform_search_path(void);
/* The file that a word without a separator means, looked for in a PATH. */
bool platform_find_program(const char *word, const char *search, char *ret_file, size_t size);

/* ---- Processes ------------------------------------------------------------------------------- */

/* First of all: makes good what a launcher may have left that would break this process itself,
 * which is closed stdio (whatever is opened next would become it) and ignored ends of children
 * (waiting for them would find none). */
void platform_begin(void);
int64_t platform_pid(void);
/* Fills in who a process is; false if there is none (a zombie counts as none when 'alive'). */
bool platform_identify(int64_t pid, bool alive, struct identity *ret_identity);
/* Whether it certainly does not live (a zombie does not) as the very same process: what cannot be
 * looked at, for want of descriptors or memory, may be there still. */
bool platform_is_gone(const struct identity *identity);
/* Whether a pid of the same boot was recorded in another pid namespace than ours. */
bool platform_is_elsewhere(const struct identity *identity);

#define PLATFORM_COMMAND_BYTES  256
#define PLATFORM_TERMINAL_BYTES 32

struct platform_process_info {
    int64_t pid;
    int64_t parent;
    int64_t group;
    int64_t session;
    uint64_t start_time;
    int64_t started_wall_us;              /* 0 unknown */
    int64_t uid;                          /* -1 unknown */
    char command[PLATFORM_COMMAND_BYTES]; /* printable; "" unknown */
    char user[PLATFORM_USER_BYTES];       /* "" unknown */
    bool on_terminal;
    char terminal[PLATFORM_TERMINAL_BYTES]; /* "pts/3"; "" unknown */
    bool zombie;
};
bool platform_process_info(int64_t pid, struct platform_process_info *ret_info);
/* The control groups of a process (0: this one) in the system's own words: cgroups(7).  "" where
 * there is no such thing. */
void platform_process_cgroups(int64_t pid, char *ret_text, size_t size);
/* Whether a process is known to be in another pid namespace than this one. */
bool platform_is_in_other_namespace(int64_t pid);
/* The word behind 'word' on a process's command line ("--state" -> "/x"); false if there is none.
 */
bool platform_process_word_after(int64_t pid, const char *word, char *ret_text, size_t size);
/* Whether the environment that a process was started with has NAME=VALUE in it. */
bool platform_process_has_variable(int64_t pid, const char *name, const char *value);

/* Sends a signal by name ("TERM") to a process that is proved to be the one meant: an unreaped
 * child of ours, or identity checked again right before.  Gone: success. */
int platform_signal(const struct identity *identity, const char *name, struct err *err);
/* The number of a signal, for messages and exit codes; 0 if there is none here. */
int platform_signal_number(const char *name);
const char *platform_signal_name(int number); /* "KILL"; "?" if unknown */

/* What a process started and what was left to us or to the keeper: one generation's tree, or all of
 * them.  Supervisors of other services (and what is below them) are no part of it. */
struct platform_tree {
    int64_t main_pid; /* 0: none is left */
    uint64_t main_start;
    int64_t session;       /* the session that the main process led */
    bool scattered;        /* its orphans are not below us or the keeper, but anywhere */
    bool whole;            /* also every orphan that cannot be told to be another generation's */
    int64_t keeper_pid;    /* 0: none; its children count as ours */
    const char *instance;  /* instance id, for systems without a sub-reaper; may be "" */
    const int64_t *except; /* roots that are not part of it: helpers, another generation */
    size_t except_count;
    size_t except_sessions; /* how many of them, the first ones, mean their whole session */
    uint32_t group;         /* its control group, if there is one of that number; 0: none */
};
/* Whether no live process of it is left (zombies do not count). */
bool platform_tree_is_empty(const struct platform_tree *tree);
bool platform_tree_contains(const struct platform_tree *tree, int64_t pid);
/* Sends a signal to every one of them; returns how many there were. */
size_t platform_tree_signal(const struct platform_tree *tree, const char *name);
/* Whether the system knows all of the tree.  Else it is found by ancestry, session, group and
 * instance id, and who got rid of all four is not. */
bool platform_tree_is_sure(const struct platform_tree *tree);
/* The pids, at most max; returns how many there are. */
size_t platform_tree_list(const struct platform_tree *tree, int64_t *ret_pids, size_t max);
/* Whether exits of processes that are not our children reach us as events (sub-reaper), so that
 * nobody needs to look again and again. */
bool platform_tree_is_told(void);
/* Processes anywhere whose environment carries this instance id. */
size_t platform_find_instance(const char *instance, int64_t *ret_pids, size_t max);

/* ---- Control groups -------------------------------------------------------------------------- */

/* Where the system has them and one was delegated to us, each generation gets one of its own. These
 * do nothing, and say so, where that is not so. */

/* Looks once whether the group of 'main_pid' and us is ours to divide, and divides it: both go into
 * a part of their own.  'root': where groups are mounted; NULL: found out. */
bool platform_group_open(const char *root, int64_t main_pid);
/* A new group for a generation. */
int platform_group_make(uint32_t number, struct err *err);
/* What all of its processes may use together. */
int platform_group_limit_memory(uint32_t number, uint64_t bytes, struct err *err);
int platform_group_enter(uint32_t number, int64_t pid, struct err *err);
/* Once it is empty; one that is not stays. */
void platform_group_remove(uint32_t number);
/* How many of its processes were killed since it had no memory left; number 0: of the group that we
 * are in ourselves.  -1: unknown. */
int64_t platform_group_oom_kills(uint32_t number);

/* Gives back the memory that the stack needed when it was deepest; an optimisation only. */
void platform_trim_stack(void);
/* Orphans below us come to us from now on, where the system can do that. */
void platform_become_reaper(void);
/* TERM, INT, HUP and QUIT do nothing to this process any more. */
void platform_ignore_stops(void);
/* Own process group, and job control signals ignored. */
void platform_leave_terminal_group(void);
bool platform_has_terminal(void); /* a controlling terminal that is still there */

/* ---- Spawning an instance or a helper -------------------------------------------------------- */

enum platform_stage {
    PLATFORM_STAGE_FORK,
    PLATFORM_STAGE_SESSION,
    PLATFORM_STAGE_TERMINAL,
    PLATFORM_STAGE_DESCRIPTORS,
    PLATFORM_STAGE_LIMITS,
    PLATFORM_STAGE_NICE,
    PLATFORM_STAGE_GROUP,
    PLATFORM_STAGE_USER,
    PLATFORM_STAGE_DIRECTORY,
    PLATFORM_STAGE_EXECUTE,
    PLATFORM_STAGE_COUNT
};
const char *platform_stage_name(enum platform_stage stage);
/* Whether a sentence of platform_spawn()'s, which knows the step where a child has no say, is about
 * this one. */
bool platform_is_about_stage(const char *sentence, enum platform_stage stage);
/* "No such file or directory" */
const char *platform_error_text(long os_code);
/* Of errno as the C library has left it, which is no code of the system everywhere. */
const char *platform_library_error_text(void);
/* Whether a file was not there. */
bool platform_means_missing(long os_code);
/* That there is a file and that it cannot be executed. */
bool platform_means_not_executable(long os_code);
long platform_code_for_missing(void); /* one of them, for what was looked for in vain */
/* That there is no room on a disk; that it cannot be written to at all. */
bool platform_means_full(long os_code);
bool platform_means_read_only(long os_code);

#define PLATFORM_PASSED_MAX 16
#define PLATFORM_UNLIMITED  UINT64_MAX

/* Which resource: the names that the configuration uses, "nofile", "nproc" ... */
struct platform_limit {
    const char *name;
    uint64_t value;
};

struct platform_spawn {
    const char *file;         /* absolute path of the executable */
    const char *const *words; /* argv */
    char *const *environment;
    /* Where in 'environment' the child writes its own pid: after "LISTEN_PID=" and the like, with
     * room for PLATFORM_PID_HOLE.  NULL: nowhere. */
    char *listen_pid_hole;
    char *watchdog_pid_hole;
    const char *directory;
    unsigned umask;
    int nice;
    bool nice_set;
    bool switch_user;
    uint32_t uid;
    uint32_t gid;
    const uint32_t *groups;
    size_t group_count;
    const struct platform_limit *limits;
    size_t limit_count;
    uint64_t
            raise_open_files_to; /* soft limit is raised to this at most, never lowered; 0: leave */
    platform_handle input;       /* for its standard input; none: the null device */
    platform_handle output;      /* for its standard output; none: the null device */
    platform_handle error_output;  /* likewise; may be the same */
    bool on_terminal;              /* all three are a terminal, which becomes its controlling one */
    bool ends_with_parent;         /* killed when its parent dies, where the system can do that */
    const platform_handle *passed; /* put at descriptors 3, 4, ... */
    size_t passed_count;
};
#define PLATFORM_PID_HOLE "0000000000"

/* A process that waits at the barrier, ready to execute. */
struct platform_child {
    struct identity identity;
    platform_handle barrier; /* writing lets it go; end of file ends it */
    platform_handle failure; /* says what went wrong before or at the exec */
};

/* Starts a process up to the barrier.  On failure nothing is left of it. */
int platform_spawn(
        const struct platform_spawn *spawn, struct platform_child *ret_child, struct err *err);
/* Opens the barrier. */
int platform_spawn_release(struct platform_child *child, struct err *err);
/* Ends one that still waits there, and reaps it. */
void platform_spawn_abandon(struct platform_child *child);

/* Starts a program of ours in the background: own session, working directory /, null device as
 * stdio, 'passed' at descriptor 3 and on, nothing else of the caller. */
int platform_spawn_background(const char *const *words, const platform_handle *passed,
        size_t passed_count, struct err *err);
/* Runs a program to its end with the caller's stdio; returns its exit code, 128+N for a signal. */
int platform_run(const char *const *words, int *ret_code, struct err *err);
/* Runs a program and collects what it prints, for at most timeout_ms; for lookups. */
int platform_capture(const char *const *words, int64_t timeout_ms, size_t limit, struct buffer *out,
        int *ret_code, struct err *err);
/* The same, and its complaints with it. */
int platform_capture_all(const char *const *words, int64_t timeout_ms, size_t limit,
        struct buffer *out, int *ret_code, struct err *err);
/* Which program a script ("#!") needs and is not there; false for everything else. */
bool platform_missing_interpreter(const char *path, char *ret_interpreter, size_t size);
/* This program: its path, and an open handle that still names it when the file is replaced. */
bool platform_executable(char *ret_path, size_t size);
platform_handle platform_open_executable(void);
/* Another program, to be executed by its handle. */
int platform_open_program(const char *path, platform_handle *ret_handle, struct err *err);
/* Replaces this process's program; 'kept' stay open in the new one, under their numbers.  Signals
 * that come meanwhile wait until its loop is open.  Returns only if it does not come to that:
 * -1 on failure, 0 when a signal has come that would be lost; it is an event of this loop. */
int platform_become(platform_handle program, const char *const *words, const platform_handle *kept,
        size_t kept_count, struct err *err);
/* A handle that came from the program before: not passed on any further. */
void platform_keep_private(platform_handle handle);
/* Reads to the end of a pipe; more than size is an error. */
int platform_read_all(
        platform_handle handle, char *ret_data, size_t size, size_t *ret_length, struct err *err);

/* ---- What a person types ----------------------------------------------------------------------
 */

/* Each is about a path, but for the pids, with blanks between them, and the port. */
enum platform_type {
    PLATFORM_TYPE_EDIT,
    PLATFORM_TYPE_MAKE_FOLDER,
    PLATFORM_TYPE_MAKE_PRIVATE,
    PLATFORM_TYPE_MAKE_EXECUTABLE,
    PLATFORM_TYPE_OWN, /* makes it ours, with all that is in it */
    PLATFORM_TYPE_SHOW_ROOM,
    PLATFORM_TYPE_SHOW_DISK,
    PLATFORM_TYPE_SHOW_RIGHTS,
    PLATFORM_TYPE_SHOW_USERS,     /* who has it open */
    PLATFORM_TYPE_SHOW_UNIX,      /* who listens at a path */
    PLATFORM_TYPE_SHOW_PORT,      /* who listens at a port */
    PLATFORM_TYPE_SHOW_ADDRESSES, /* about nothing: the machine's */
    PLATFORM_TYPE_REMOVE,
    PLATFORM_TYPE_REMOVE_FOLDER,
    PLATFORM_TYPE_END,      /* pids */
    PLATFORM_TYPE_END_NOW,  /* pids */
    PLATFORM_TYPE_CONTINUE, /* pids that were stopped */
    PLATFORM_TYPE_COUNT
};

/* The command for it here; false: there is none. */
bool platform_type(enum platform_type what, const char *about, char *ret_text, size_t size);
/* A command with its words quoted as whoever reads it here wants them. */
void platform_command_line(char *ret_text, size_t size, const char *const *words);
const char *platform_with_more_rights(void); /* what stands before a command for that, or "" */

/* ---- Sockets --------------------------------------------------------------------------------- */

enum platform_bind_result {
    PLATFORM_BIND_OK,
    PLATFORM_BIND_TAKEN,
    PLATFORM_BIND_NO_ADDRESS,
    PLATFORM_BIND_FAILED
};

struct platform_bind {
    struct address address;
    bool listen; /* false: only bound, as a claim */
    bool hold;   /* with listen false: SO_REUSEADDR cleared after bind, so that nobody else
                  * can bind or listen there */
    uint32_t backlog;
    bool only_ipv6;        /* "[::1]" beside 127.0.0.1; "::" alone is dual-stack */
    unsigned mode;         /* of a Unix socket */
    const char *temporary; /* Unix: bound and listening under this name; the caller renames it */
};
/* Binds exclusively.  On success *ret_handle is the socket and *ret_bound its address with the port
 * that the kernel chose.  err explains anything but OK. */
enum platform_bind_result platform_bind(const struct platform_bind *bind,
        platform_handle *ret_handle, struct address *ret_bound, struct err *err);
/* A socket that we hold: listens, and where?  Clears O_NONBLOCK, which travels with the socket. */
bool platform_check_listener(platform_handle handle, struct address *ret_bound);
/* Makes the queue of a socket that listens this long again, whatever its program made of it:
 * listen(2) may be called anew, and node and nginx ask for 511. */
void platform_set_backlog(platform_handle handle, uint32_t backlog);
/* Whether this machine has the address (wildcards and Unix paths: yes). */
bool platform_has_address(const struct address *address);
/* The machine's own IP addresses, port 0; returns how many, at most max. */
size_t platform_own_addresses(struct address *ret_addresses, size_t max);
bool platform_has_ipv6(void);

/* Whether somebody listens on a Unix socket's path: by connecting. */
bool platform_unix_is_live(const char *path);

/* A socket that listens on a port, or is bound to it without listening. */
struct platform_listener {
    struct address address;
    uint64_t socket_id; /* names the socket system-wide; 0 unknown */
    int64_t uid;        /* of whoever made it; -1 unknown */
    bool listening;
    bool only_ipv6; /* "::" that does not take IPv4 */
};
#define PLATFORM_LISTENERS_MAX 64
/* Sockets on an IP port (0: on any); returns how many were found (at most max), -1 if they cannot
 * be listed. */
int platform_listeners_on_port(uint16_t port, struct platform_listener *ret_listeners, size_t max);
/* Listening Unix sockets whose file has this path. */
int platform_listeners_on_path(
        const char *path, struct platform_listener *ret_listeners, size_t max);
/* Processes that have the socket open; returns how many were found; *ret_hidden says whether some
 * processes could not be looked at. */
size_t platform_socket_owners(uint64_t socket_id, int64_t *ret_pids, size_t max, bool *ret_hidden);
/* Whether one of the given processes has it open. */
bool platform_owns_socket(int64_t pid, uint64_t socket_id);
/* Takes a duplicate of a listening socket out of another process, where that is permitted. */
platform_handle platform_take_socket(int64_t pid, uint64_t socket_id);
/* The pipe that a process writes its output to, opened for reading, where that can be had. */
platform_handle platform_take_output(int64_t pid, int number);

/* ---- Pipes ----------------------------------------------------------------------------------- */

struct platform_peer {
    int64_t pid; /* 0 unknown */
    int64_t uid; /* -1 unknown */
};

/* A pipe: the read end for us, the write end for a child. */
int platform_pipe(platform_handle *ret_read, platform_handle *ret_write, struct err *err);
/* The other way round: the write end for us, the read end for a child. */
int platform_input_pipe(platform_handle *ret_read, platform_handle *ret_write, struct err *err);
/* Sends all of it on a stream socket that the loop does not watch; a closed one is an error and no
 * signal. */
int platform_send_all(platform_handle handle, const void *data, size_t length, int64_t deadline_ms,
        struct err *err);
/* Makes a pipe the property of a user, so that /dev/stdout can be opened by it. */
void platform_give_pipe(platform_handle handle, uint32_t uid);
/* Waits for bytes on a stream that the loop does not watch.  Returns how many came, 0 at its end or
 * when it failed, -1 when time is up. */
long platform_receive(platform_handle handle, void *ret_data, size_t size, int64_t deadline_ms);
/* Who is at the other end of a stream; of a pair: who made it. */
void platform_peer(platform_handle handle, struct platform_peer *ret_peer);
/* A connected pair of stream sockets. */
int platform_stream_pair(platform_handle ret_ends[2], struct err *err);

/* ---- The loop -------------------------------------------------------------------------------- */

/* Something the loop watches: a stream, a listener, a process ... */
struct platform_source;

enum platform_event_kind {
    PLATFORM_EVENT_TIMER,       /* the deadline has passed */
    PLATFORM_EVENT_SIGNAL,      /* number: see platform_ask */
    PLATFORM_EVENT_EXIT,        /* a child ended; it is not reaped before platform_reap() */
    PLATFORM_EVENT_GONE,        /* a watched process that is not our child ended */
    PLATFORM_EVENT_ACCEPTED,    /* 'accepted' is a new stream, 'peer' who connected */
    PLATFORM_EVENT_CONNECTED,   /* a connect succeeded */
    PLATFORM_EVENT_DATA,        /* data, length: good until the next platform_wait() */
    PLATFORM_EVENT_END,         /* end of file, or the stream failed: os_code */
    PLATFORM_EVENT_WRITTEN,     /* everything that was queued has gone out */
    PLATFORM_EVENT_NOTIFY,      /* data, length, peer; a datagram */
    PLATFORM_EVENT_MESSAGE,     /* data, length, handle (now the caller's): from a channel */
    PLATFORM_EVENT_CHILD_FAILED /* stage, os_code: a spawned child could not execute */
};

/* What people and managers ask with signals. */
enum platform_ask {
    PLATFORM_ASK_STOP,
    PLATFORM_ASK_HANGUP,
    PLATFORM_ASK_FORWARD,
    PLATFORM_ASK_RESIZE /* of the terminal, after platform_terminal_raw() */
};

/* How a process ended.  Not known (the status went to somebody else): code and by_signal are -1. */
struct platform_exit {
    int code;      /* -1 unless it exited */
    int by_signal; /* 0 unless a signal ended it */
    bool core_dumped;
};

struct platform_event {
    enum platform_event_kind kind;
    struct platform_source *source; /* NULL: TIMER, SIGNAL, EXIT */
    int role;                       /* what the caller gave when it began to watch */
    void *owner;                    /* likewise */
    const char *data;
    size_t length;
    long os_code;
    enum platform_stage stage;
    enum platform_ask ask;
    int signal_number; /* ASK_FORWARD: which */
    int64_t pid;       /* EXIT, GONE */
    struct platform_exit exit;
    struct platform_source *accepted;
    struct platform_peer peer;
    platform_handle handle;
};

#define PLATFORM_SOURCES_MAX 192   /* connections, pipes and processes watched at once */
#define PLATFORM_PIECE_BYTES 65536 /* a DATA event has at most so many */

/* With 'takes_signals' those that stop, hang up or are to be forwarded arrive as events, and none
 * that was blocked until now is lost. */
int platform_loop_open(bool takes_signals, struct err *err);
/* Waits for the next event or the deadline.  Never fails: what goes wrong comes as an event. */
void platform_wait(int64_t deadline_ms, struct platform_event *ret_event);

/* Sources of these roles (bit 1 << role each) wake nobody until further notice; but before the end
 * of a child is told, everything is looked at. */
void platform_hush(unsigned roles);

/* Watching.  A source belongs to the loop until platform_unwatch(), which closes its handle; NULL
 * is fine there.  On failure (too many sources) the handle is closed and NULL returned. */
struct platform_source *platform_watch_stream(platform_handle handle, int role, void *owner);
/* Whose writing end is ours: a pipe to a child, or a pseudo-terminal. */
struct platform_source *platform_watch_pipe(platform_handle handle, int role, void *owner);
/* Our own standard input.  It is shared with others, so it stays as blocking as it is. */
struct platform_source *platform_watch_input(platform_handle handle, int role, void *owner);
struct platform_source *platform_watch_listener(platform_handle handle, int role, void *owner);
struct platform_source *platform_watch_notify(platform_handle handle, int role, void *owner);
struct platform_source *platform_watch_channel(platform_handle handle, int role, void *owner);
struct platform_source *platform_watch_failure(platform_handle handle, int role, void *owner);
/* A process that is not our child; NULL when it cannot be watched (or is gone: look then). */
struct platform_source *platform_watch_process(
        const struct identity *identity, int role, void *owner);
struct platform_source *platform_connect(
        const struct address *address, int role, void *owner, struct err *err);
/* Whether a connect that failed with this code says that nobody listens there. */
bool platform_means_nobody(long os_code);
void platform_unwatch(struct platform_source *source);
/* The owner has moved in memory; NULL is fine. */
void platform_set_owner(struct platform_source *source, void *owner);
platform_handle platform_source_handle(const struct platform_source *source);
/* Whether a connected stream is connected to itself: both ends have the same address. */
bool platform_is_self_connected(const struct platform_source *source);
/* Makes a stream end with a reset when it is unwatched: its own port is free at once. */
void platform_end_by_reset(struct platform_source *source);
/* Whether the other side's program has taken a connection out of its backlog: 1 yes, 0 not yet, -1
 * the system does not say. */
int platform_is_accepted(const struct platform_source *source);
/* Sends at once what goes, keeps the rest; a stream whose reader lets more than 'limit' bytes pile
 * up fails with -1.  Nothing is sent half. */
int platform_send(struct platform_source *source, const void *data, size_t length, size_t limit);
size_t platform_unsent(const struct platform_source *source);
/* Much goes through it: from now on the system holds more of it, where it can do that, and both
 * ends wait for each other less often.  A pipe from a child, or a stream that much is sent on. */
void platform_widen(struct platform_source *source);
/* What comes waits in the system meanwhile, and whoever sends it waits with it. */
void platform_pause(struct platform_source *source, bool pause);
/* After an end of file: the other side may have closed its sending half only.  Tells once more,
 * with an os_code, when it has closed all of it, where the system says so. */
void platform_await_close(struct platform_source *source);
/* Reads what is there now without waiting, past the loop; 0 at the end or when nothing is there. */
size_t platform_read_now(struct platform_source *source, const char **ret_data);

/* Whether a child has ended, and how; it is not reaped. */
bool platform_child_ended(int64_t pid, struct platform_exit *ret_exit);
/* Reaps a child that PLATFORM_EVENT_EXIT told of. */
void platform_reap(int64_t pid);
/* Lets it lie; it is not told again until another child ends.  Until it is reaped it may hide the
 * end of others: platform_child_ended() tells of one that matters. */
void platform_leave_unreaped(int64_t pid);

/* What a child of ours is held by, where no keeper does that: its process and its tree, and what
 * else is known of it, for another platform_child_take() alone. */
struct platform_lent {
    platform_handle process;
    platform_handle tree;
    int32_t state;
};
/* For the process that takes our place; they stay ours.  False if it is no child of ours. */
bool platform_child_lend(int64_t pid, struct platform_lent *ret_lent);
/* It is our child from now on, and its handles are ours; on failure they are closed. */
int platform_child_take(
        const struct identity *child, const struct platform_lent *lent, struct err *err);
/* Lets go of all but platform_spawn_supervisor()'s, which ends those that nobody else holds. */
void platform_children_leave(void);

/* ---- Channels between keeper and supervisor, or a supervisor and the next -------------------- */

#define PLATFORM_MESSAGE_BYTES 128

int platform_channel_pair(platform_handle ret_ends[2], struct err *err);
/* Sends exactly PLATFORM_MESSAGE_BYTES and perhaps a handle (a duplicate arrives there); waits for
 * room for at most timeout_ms. */
int platform_channel_send(platform_handle channel, const void *message, platform_handle passed,
        int64_t timeout_ms, struct err *err);
/* Waits for one message, for at most timeout_ms.  Returns 1, 0 when time is up, -1 at the end. */
int platform_channel_receive(platform_handle channel, int64_t timeout_ms, void *ret_message,
        platform_handle *ret_passed);

/* ---- Control sockets ------------------------------------------------------------------------- */

/* A listening Unix socket at directory/name, mode 0600 from birth, however long the path is; takes
 * the place of one that is there.  The caller holds the service's lock. */
int platform_control_listen(
        const char *directory, const char *name, platform_handle *ret_handle, struct err *err);
/* Connects to it.  Nobody there: kind ERR_NOT_RUNNING. */
int platform_control_connect(
        const char *directory, const char *name, platform_handle *ret_handle, struct err *err);

/* Whether there are such sockets; else the control channel is TCP on 127.0.0.1. */
bool platform_has_control_sockets(void);
/* What says where such a channel is: a file that its owner alone can read, from birth, and that is
 * there whole or not at all.  The caller holds the service's lock. */
int platform_write_private(
        const char *directory, const char *name, const char *data, size_t length, struct err *err);
/* Fails for a link, for more than size - 1 bytes, for what others could have written, and unless
 * it belongs to the directory's owner and that is us (or we are root). */
int platform_read_private(const char *directory, const char *name, char *ret_data, size_t size,
        size_t *ret_length, struct err *err);
/* Connects by the deadline; nobody listens there: kind ERR_NOT_RUNNING. */
int platform_tcp_connect(const struct address *address, int64_t deadline_ms,
        platform_handle *ret_handle, struct err *err);

/* ---- Notification (sd_notify(3)) ------------------------------------------------------------- */

#define PLATFORM_NOTIFY_BYTES 128
/* A datagram socket for READY=1 and the like, and its name for NOTIFY_SOCKET; reachable by uid. */
int platform_notify_listen(uint32_t uid, platform_handle *ret_handle,
        char ret_name[PLATFORM_NOTIFY_BYTES], struct err *err);
/* The same under the name that one had whose listener has died. */
int platform_notify_listen_again(
        const char *name, uint32_t uid, platform_handle *ret_handle, struct err *err);
/* Removes what platform_notify_listen left in a file system. */
void platform_notify_remove(const char *name);

/* Sends a datagram to the notification socket of somebody else's ("/path", or "@name", abstract),
 * with a duplicate of 'passed' (or none).  Never waits; what might go later is kind ERR_NO_ANSWER.
 */
int platform_notify_send(
        const char *name, const char *text, size_t length, platform_handle passed, struct err *err);

/* The writing end of a pipe that wakes whoever reads it: taken over when it was passed to us, and
 * rung, which never waits. */
void platform_take_bell(platform_handle handle);
void platform_ring(platform_handle handle);

/* ---- Keeper ---------------------------------------------------------------------------------- */

/* Starts the supervisor: own process group where there is a keeper, 'passed' at descriptor 3 and on
 * (what platform_given() tells of elsewhere), the caller's stdio; from an executable's handle. */
int platform_spawn_supervisor(platform_handle executable, const char *const *words,
        const platform_handle *passed, size_t count, int64_t *ret_pid, struct err *err);

#endif
