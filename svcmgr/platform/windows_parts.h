/* What the Windows files share among themselves; nothing outside this folder includes it.  (A file
 * named windows.h here would be found in place of the system's.) */
#ifndef SVCMGR_WINDOWS_PARTS_H
#define SVCMGR_WINDOWS_PARTS_H

#include <winsock2.h>
#include <ws2tcpip.h>

#include <windows.h>

#include "platform.h"
#include "sockaddr.h"

/* ---- Handles --------------------------------------------------------------------------------- */

/* A platform_handle is a kernel handle or a socket.  Both are handles of the kernel, but a socket
 * has to be closed by closesocket(), so one carries a mark: the lowest two bits of a handle are the
 * application's own (Win32, "Handles and Objects"; ntdef's OBJ_HANDLE_TAGBITS). */
#define WINDOWS_MARKS       ((platform_handle)3)
#define WINDOWS_SOCKET_MARK 1
/* A pipe for overlapped calls that came from another process, whose loop's port it belongs to. */
#define WINDOWS_TAKEN_MARK 2

static inline platform_handle windows_of_handle(HANDLE handle)
{
    return handle == NULL ? PLATFORM_NO_HANDLE : (platform_handle)handle;
}

static inline platform_handle windows_of_socket(SOCKET s)
{
    return s == INVALID_SOCKET ? PLATFORM_NO_HANDLE : (platform_handle)(s | WINDOWS_SOCKET_MARK);
}

static inline bool windows_is_socket(platform_handle handle)
{
    return handle != PLATFORM_NO_HANDLE && (handle & WINDOWS_SOCKET_MARK) != 0;
}

static inline bool windows_is_taken(platform_handle handle)
{
    return handle != PLATFORM_NO_HANDLE && (handle & WINDOWS_MARKS) == WINDOWS_TAKEN_MARK;
}

static inline SOCKET windows_socket(platform_handle handle)
{
    return handle == PLATFORM_NO_HANDLE ? INVALID_SOCKET : (SOCKET)(handle & ~WINDOWS_MARKS);
}

static inline HANDLE windows_handle(platform_handle handle)
{
    return handle == PLATFORM_NO_HANDLE ? INVALID_HANDLE_VALUE : (HANDLE)(handle & ~WINDOWS_MARKS);
}

/* ---- Text ------------------------------------------------------------------------------------ */

/* Everything above the seam is UTF-8, everything below speaks UTF-16.  Invalid text becomes U+FFFD.
 * False if it does not fit (then ret_text is ""). */
bool windows_to_wide(const char *text, WCHAR *ret_text, size_t count);
bool windows_from_wide(const WCHAR *text, char *ret_text, size_t size);

/* A path as the system wants it: absolute ones with the prefix \\?\ where they would otherwise be
 * too long, '/' turned into '\'. */
#define WINDOWS_PATH_COUNT (PLATFORM_PATH_BYTES + 8)
bool windows_to_path(const char *path, WCHAR ret_path[WINDOWS_PATH_COUNT]);

/* A path from the system as everything above the seam has it: with '/', without the prefix. */
bool windows_from_path(const WCHAR *path, char *ret_path, size_t size);

/* ---- Errors ---------------------------------------------------------------------------------- */

/* The kind of error that GetLastError() or WSAGetLastError() means for the exit code. */
enum err_kind windows_kind(DWORD code);
/* The system's text for such a code: platform_error_text() (windows_process.c). */

/* ---- Children and jobs (windows_child.c) ----------------------------------------------------- */

/* A process that platform_spawn() started, and the job of it and of all that it starts.  It stays
 * in the table until it is reaped and its job is empty; its handle is held as long, so that no
 * other process can get its pid. */
struct windows_child {
    struct windows_child *next;
    int64_t pid;
    uint64_t start_time;
    HANDLE process;
    HANDLE job;  /* NULL: of platform_spawn_supervisor(), which has none of its own */
    HANDLE wait; /* tells its end; NULL: not yet released */
    int asked;   /* the signal that it was last asked to stop with; 0: none */
    bool killed;
    bool reaped;
    bool was_passed; /* it got sockets: windows_detach_listeners() */
};

/* Also implemented there: platform_child_ended(), platform_reap() and platform_leave_unreaped(). An
 * end is told once. */

/* The entry of a process (start_time 0: whatever it is), NULL if it is none of ours. */
struct windows_child *windows_find_child(int64_t pid, uint64_t start_time);
struct windows_child *windows_first_child(void);
/* Takes over process and job; NULL without memory, then they are still the caller's. */
struct windows_child *windows_add_child(
        int64_t pid, uint64_t start_time, HANDLE process, HANDLE job);
/* From now on its end is told by windows_post_exit(). */
bool windows_watch_child(struct windows_child *child);
/* Closes the handles; whatever lives in its job dies of that. */
void windows_remove_child(struct windows_child *child);
/* Removes those that are reaped and whose job is empty. */
void windows_sweep_children(void);

bool windows_is_job_empty(HANDLE job);

/* How a process ended, from GetExitCodeProcess() and what was done to it: the signal that asked it
 * to stop (0: none), and whether we killed it. */
void windows_fill_exit(DWORD code, int asked, bool killed, struct platform_exit *ret_exit);
/* What a job or a process that we kill ends with. */
#define WINDOWS_KILL_CODE 137u /* 128 + KILL's number, as a shell has it */

/* ---- Command lines and environments (windows_words.c) ---------------------------------------- */

/* argv as one line that CommandLineToArgvW() and the C library split into the same words; the
 * caller frees it.  NULL without memory. */
WCHAR *windows_join_words(const char *const *words);
/* The words of a command line as UTF-8, each with its NUL; returns their length in all, -1 if they
 * do not fit. */
long windows_split_words(const WCHAR *line, char *ret_text, size_t size);
/* "NAME=VALUE" texts, but for 'skipped', as a sorted block; the caller frees it. */
WCHAR *windows_make_block(char *const *environment, const char *const skipped[], size_t count);

/* ---- Programs (windows_run.c, windows_launch.c, windows_spawn.c) ----------------------------- */

/* The null device. */
HANDLE windows_open_null(bool inherited);
/* Takes the handles that platform_given() tells of out of the environment. */
void windows_take_given(void);

/* What platform_spawn() and its like hand to CreateProcess(): the only handles that a child gets.
 */
#define WINDOWS_HANDLES_MAX (3 + PLATFORM_PASSED_MAX)
struct windows_launch {
    HANDLE handles[WINDOWS_HANDLES_MAX];
    DWORD count;
    HANDLE stdio[3]; /* duplicates, ours to close */
    HANDLE job;      /* NULL: none of its own */
    HPCON terminal;  /* NULL: none */
    LPPROC_THREAD_ATTRIBUTE_LIST attributes;
};
/* Adds duplicates of the three for stdio (none: the null device), and the passed ones as they are.
 */
int windows_launch_handles(struct windows_launch *launch, const platform_handle stdio[3],
        const platform_handle *passed, size_t passed_count, struct err *err);
/* CreateProcess() with nothing else; 0 and *ret_process, or GetLastError(). */
DWORD windows_launch(struct windows_launch *launch, const WCHAR *file, WCHAR *line, WCHAR *block,
        const WCHAR *directory, DWORD flags, PROCESS_INFORMATION *ret_process);
void windows_launch_end(struct windows_launch *launch);

/* ---- Signals (windows_process.c) ------------------------------------------------------------- */

/* TERM, INT or QUIT. */
bool windows_is_stop(const char *name);
/* Fails for those that Windows has nothing like. */
int windows_check_signal(const char *name, struct err *err);

/* ---- Stopping (windows_console.c) ------------------------------------------------------------ */

/* A console to share with children, so that they can be asked to stop: ours, or a hidden one. */
void windows_need_console(void);
/* CTRL_BREAK for the group that the process 'group' was the first of. */
bool windows_send_break(int64_t group);
/* WM_CLOSE to the windows of a process; returns how many there are. */
size_t windows_close_windows(int64_t pid);

/* ---- Processes (windows_who.c) --------------------------------------------------------------- */

struct windows_process {
    int64_t pid;
    int64_t parent; /* its number may belong to another process by now */
    int64_t session;
    uint64_t start_time; /* FILETIME of its creation */
    WCHAR image[64];
};
/* Calls 'each' with every process until it returns false; false if they cannot be listed. */
bool windows_each_process(
        bool (*each)(void *context, const struct windows_process *process), void *context);
/* Opens exactly this process; NULL with GetLastError(). */
HANDLE windows_open_process(int64_t pid, DWORD access);
/* When it was created; 0 unknown. */
uint64_t windows_start_time(HANDLE process);
bool windows_has_ended(HANDLE process);

/* ---- Who may do what (windows_private.c) ----------------------------------------------------- */

/* A SID as a number, the same in every process; 0 is nobody's.  Who was seen keeps its name:
 * platform_user_name(). */
uint32_t windows_uid_of(PSID sid);
/* The user of an access token, and the number of it; false if it cannot be had. */
bool windows_token_user(HANDLE token, uint32_t *ret_uid, char *ret_name, size_t size);
/* The SID of this process's user; good as long as the process. */
PSID windows_own_sid(void);

/* For this process's user alone (SYSTEM and administrators can always help themselves), what is
 * made in such a directory as well; with 'readable' others may look.  Services that were granted
 * the directory above 'path' (NULL: none) are let in.  The caller frees it with LocalFree(). */
PSECURITY_DESCRIPTOR windows_make_private(const WCHAR *path, bool is_directory, bool readable);
/* Whether an open file or directory is ours, and whether others can change it. */
bool windows_is_ours(HANDLE handle);
bool windows_others_can_write(HANDLE handle);

/* ---- Lists of rights (windows_acl.c) ----------------------------------------------------------
 */

/* Whether a file of this owner's is as good as ours: what an elevated process makes may belong to
 * the group of administrators, or to SYSTEM; to a service with an account of its own they give what
 * it may change. */
bool windows_is_our_owner(PSID owner);
/* Whether anybody but the owner, us, SYSTEM, administrators and services can change what the list
 * stands over, or the list itself. */
bool windows_lets_others_change(PACL list, PSID owner);
/* The services to which a directory with this list was granted, as entries (SDDL) for what is made
 * in it: they work in there, whoever makes it.  'inherit' are the flags of these. */
#define WINDOWS_SDDL_CHARS 1024
void windows_service_entries(const ACL *list, const char *inherit, char *ret_text, size_t size);

/* ---- Terminals (windows_terminal.c) ---------------------------------------------------------- */

/* The pseudo-console that the child's side of a platform_terminal_pair() stands for; once. */
int windows_terminal_console(platform_handle child, HPCON *ret_console, struct err *err);

/* ---- Time (windows_time.c) ------------------------------------------------------------------- */

int64_t windows_unix_ns(const FILETIME *time); /* since 1970 */

/* ---- Files (windows_file.c) ------------------------------------------------------------------ */

/* Opens a path whatever else has it open, never to be inherited; INVALID_HANDLE_VALUE with
 * GetLastError(). */
HANDLE windows_open(const char *path, DWORD access, DWORD disposition, DWORD flags,
        PSECURITY_DESCRIPTOR descriptor);
/* Of a file or directory, without what else a stat asks the volume for; tag 0: no reparse point. */
bool windows_attributes(HANDLE handle, DWORD *ret_attributes, DWORD *ret_tag);
/* Renames, in place of what is there, though somebody may be reading that. */
bool windows_move(const char *from, const char *to);
/* All or nothing; NULL: who may do what is the directory's to say. */
int windows_replace_file(const char *path, const char *data, size_t length,
        PSECURITY_DESCRIPTOR descriptor, struct err *err);

/* ---- The loop (windows_loop.c) --------------------------------------------------------------- */

/* These may be called from any thread, and before platform_loop_open(): what was posted waits in
 * the completion port, which is made when it is first needed. */

/* A child has ended: one event PLATFORM_EVENT_EXIT follows, with what platform_child_ended() says
 * then, unless that says no (it was reaped). */
void windows_post_exit(int64_t pid);
/* An event PLATFORM_EVENT_SIGNAL follows; 'number' is the signal for PLATFORM_ASK_FORWARD. */
void windows_post_ask(enum platform_ask ask, int number);
/* platform_loop_open(true) calls this, which windows_console.c has: from now on what the console
 * says (Ctrl-C, Ctrl-Break, close, shutdown) is posted as an ask. */
void windows_take_asks(void);

/* ---- Pipes (windows_pipe.c) ------------------------------------------------------------------ */

/* Two ends that both read and write, both for overlapped calls. */
int windows_duplex_pipe(HANDLE *ret_ours, HANDLE *ret_other, struct err *err);

/* ---- Channels (windows_channel.c) ------------------------------------------------------------ */

/* Handles that are sent from now on are for this child. */
void windows_channel_serves(int64_t pid);

/* ---- Sockets (windows_socket.c) -------------------------------------------------------------- */

/* WSAStartup(), once; false with WSAGetLastError(). */
bool windows_sockets_begin(void);
/* Not inherited by anybody, fit for overlapped calls, blocking; INVALID_SOCKET on failure. */
SOCKET windows_open_socket(const struct address *address);
/* The one that WSADuplicateSocketW() has described, likewise. */
SOCKET windows_open_described(WSAPROTOCOL_INFOW *description);
bool windows_own_address(SOCKET s, struct address *ret_address);
bool windows_peer_address(SOCKET s, struct address *ret_address);
/* On a TCP stream a short line does not wait until the one before it is acknowledged. */
void windows_send_at_once(SOCKET s);
/* A connect to this machine that is refused fails at once. */
void windows_refuse_at_once(SOCKET s, const struct address *address);
/* Off whatever completion port a child attached them to, unless one that got sockets lives
 * (windows_listener.c). */
void windows_detach_listeners(const platform_handle *passed, size_t count);
/* False where the system cannot do that. */
bool windows_detach_listener(platform_handle handle);
/* Whether Windows keeps the port from everybody, in which range (windows_ports.c). */
bool windows_reserved_ports(const struct address *address, uint16_t *ret_first, uint16_t *ret_last);
/* The same in what netsh(1) printed. */
bool windows_find_range(const char *text, uint16_t port, uint16_t *ret_first, uint16_t *ret_last);

#endif
