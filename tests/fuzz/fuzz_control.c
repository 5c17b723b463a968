/* Bytes -> the control channel of a real supervisor, from up to four clients, cut into pieces where
 * the input says; line reader, proof, dispatcher, and whatever the methods do.  Time, chance and
 * processes are fake_machine.c's.
 *
 * The first byte says which configuration it begins with, and whether the channel is TCP.  What
 * follows is sent as it stands, but for a backquote and what the byte behind it means: see
 * take_operation().  At the end of the input whoever has asked gets his answer, all clients leave,
 * what they cost has to be back, and the service is stopped. */
#include <fcntl.h>
#include <ftw.h>
#include <sanitizer/allocator_interface.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_machine.h"
#include "fake_processes.h"
#include "fuzz_client.h"
#include "peer.h"

/* What is static there is needed here. */
#include "supervisor.c"

#define CLIENTS       4
#define SPARE_BYTES   ((size_t)64 * 1024) /* contract: memory is back within 1 MiB */
#define LIMIT_MS      INT64_C(600000)     /* of the fake clock, for everything to end */
#define CHECKED_FDS   128
#define PRINTED_BYTES 16384

#define LONG_STEP_BYTES ((size_t)72 * 1024)
_Static_assert(15 * LONG_STEP_BYTES > PROTOCOL_REQUEST_BYTES, "no request is too long");

enum phase {
    PHASE_INPUT,
    PHASE_ANSWERS, /* whoever has asked waits for his answer */
    PHASE_LEAVING, /* all close their sending side and wait for the end */
    PHASE_STOPPING /* the service is asked to stop */
};

static struct {
    const uint8_t *input;
    size_t size;
    size_t at;
    bool over_tcp;
    enum phase phase;
    int64_t phase_since_ms;
    size_t allocated; /* before anybody has said anything; 0: not known yet */
    struct supervisor *sup;
    struct client_end clients[CLIENTS];
    struct client_end *client; /* who speaks */
    struct buffer piece;       /* what it says next */
} fuzz;

static char place[128];
static char config_path[160];
static char state_path[160];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* ---- The place ------------------------------------------------------------------------------- */

/* A configuration of the service, and what else is in it. */
#define SERVICE(rest) "{\"command\":[\"/bin/service\"]" rest "}"

static const char *const configs[] = {
    SERVICE(""),
    SERVICE(",\"logs\":{\"streams\":\"separate\",\"max_size\":\"4KiB\"}"
            ",\"restart\":{\"when\":\"always\"},\"settle\":\"0s\""),
    SERVICE(",\"health\":{\"command\":[\"/bin/check\"],\"interval\":\"1s\"}"
            ",\"start_timeout\":\"5s\""),
    SERVICE(",\"listen\":{\"address\":\"unix:@/"
            "web.sock\",\"socket\":\"inherit\"},\"replace\":\"overlap\""
            ",\"health\":{\"command\":[\"/bin/check\"]}"),
    SERVICE(",\"logs\":{\"timestamps\":false,\"max_size\":\"1KiB\",\"keep\":1}"
            ",\"stop\":{\"command\":[\"/bin/stop\"],\"timeout\":\"1s\"}"),
    SERVICE(",\"restart\":{\"burst\":2,\"delay\":\"1s\"},\"ready\":\"spawn\""),
    SERVICE(",\"watchdog\":\"1s\",\"ready\":\"notify\",\"start_timeout\":\"2s\""),
    "{\"command\":[\"nosuchprogram\"],\"environment\":{\"A\":\"b\"}}", "{\"command\":[]}", "{",
    NULL /* there is no file */
};

static void write_config(unsigned n)
{
    const char *text = configs[n % (sizeof configs / sizeof configs[0])];
    struct buffer out = { 0 };
    struct err err;

    if (text == NULL) {
        REQUIRE(platform_remove_file(config_path, &err) == 0);
        return;
    }
    for (const char *at = text; *at != '\0'; at++)
        buffer_append(&out, *at == '@' ? place : at, *at == '@' ? strlen(place) : 1);
    REQUIRE(platform_replace_file(config_path, out.data, out.length, 0600, &err) == 0);
    buffer_free(&out);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info;
    (void)kind;
    return at->level == 0 ? 0 : remove(path);
}

static void empty_place(void)
{
    (void)nftw(place, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void remove_place(void)
{
    empty_place();
    (void)rmdir(place);
}

/* ---- Clients --------------------------------------------------------------------------------- */

static int connect_to_supervisor(void)
{
    platform_handle handle;
    struct err err;

    if (fuzz.sup->control.listener == NULL)
        return -1;
    if (fuzz.over_tcp)
        return fake_connect_tcp();
    return platform_control_connect(state_path, PEER_CONTROL_NAME, &handle, &err) == 0 ? (int)handle
                                                                                       : -1;
}

/* Who is not connected connects. */
static void speak_as(unsigned n, bool proves)
{
    int fd;

    fuzz.client = &fuzz.clients[n];
    if (fuzz.client->fd != -1)
        return;
    fd = connect_to_supervisor();
    if (fd != -1)
        client_open(fuzz.client, fd, fuzz.over_tcp ? fuzz.sup->control.marker.token : NULL, proves);
}

/* Who had left too much unread. */
static bool somebody_was_cut_off(void)
{
    struct buffer text = { 0 };
    char path[192];
    struct err err;
    bool was;

    (void)str_format(path, sizeof path, "%s/events", state_path);
    (void)platform_read_file(path, JOURNAL_MAX_BYTES, &text, &err);
    was = strstr(buffer_text(&text), "was cut off") != NULL;
    buffer_free(&text);
    return was;
}

static bool pump_clients(void)
{
    bool ends = fuzz.sup->done || fuzz.sup->upgrade.gives_up;
    bool any = false;

    for (int i = 0; i < CLIENTS && !ends; i++)
        ends = fuzz.clients[i].was_deaf && somebody_was_cut_off();
    for (int i = 0; i < CLIENTS; i++)
        any = client_pump(&fuzz.clients[i], ends) || any;
    return any;
}

/* ---- The input ------------------------------------------------------------------------------- */

static unsigned next_byte(void)
{
    return fuzz.at < fuzz.size ? fuzz.input[fuzz.at++] : 0;
}

static void print_something(unsigned who, unsigned how)
{
    static const char version[] = "svcmgr 1.0\n";
    static char text[PRINTED_BYTES];
    size_t length = (size_t)1 << (how & 15);

    if ((how & 64) != 0 && (how & 32) != 0) {
        fake_print(who, false, version, sizeof version - 1);
        return;
    }
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (how & 64) != 0 ? (char)(i * 37) : i % 64 == 63 ? '\n' : 'x';
    fake_print(who, (how & 16) != 0, text, length < sizeof text ? length : sizeof text);
}

/* The longest is longer than a request may be. */
static void say_something_long(unsigned how)
{
    size_t length = (how & 15) * LONG_STEP_BYTES;
    char *room = buffer_reserve(&fuzz.piece, length);

    REQUIRE(room != NULL);
    memset(room, ' ', length);
    fuzz.piece.length += length;
}

static void change_client(unsigned byte)
{
    switch (byte) {
    case 'h':
        client_half_close(fuzz.client);
        break;
    case 'x':
        client_close(fuzz.client);
        break;
    case 'z':
        fuzz.client->is_deaf = !fuzz.client->is_deaf;
        fuzz.client->was_deaf = true;
        break;
    default:
        if (byte >= 'A' && byte < 'A' + CLIENTS)
            speak_as(byte - 'A', true);
        else if (byte >= 'a' && byte < 'a' + CLIENTS)
            speak_as(byte - 'a', false);
        break;
    }
}

static void change_machine(unsigned byte, int64_t deadline_ms)
{
    unsigned who;
    unsigned how;

    switch (byte) {
    case 't':
        fake_advance((int64_t)1 << (next_byte() & 15));
        break;
    case 'w':
        if (deadline_ms != PLATFORM_NEVER)
            fake_advance(deadline_ms - fake_now_ms());
        break;
    case 'o':
        who = next_byte() & 15;
        print_something(who, next_byte());
        break;
    case 'e':
        who = next_byte() & 15;
        how = next_byte();
        fake_exit(who, (int)(how & 3), (how & 4) != 0 ? SIGKILL : 0, (how & 8) != 0);
        break;
    case 's':
        fake_set_stubborn((next_byte() & 1) != 0);
        break;
    case 'i':
        fake_set_reads((next_byte() & 1) != 0);
        break;
    case 'f':
        fake_set_fate((enum fake_fate)((next_byte() & 15) % FAKE_FATE_COUNT));
        break;
    case 'q':
        fake_keeper_ask((int)(next_byte() & 3));
        break;
    case 'K':
        fake_keeper_die();
        break;
    default:
        break;
    }
}

/* What stands behind a backquote; +: one more byte says how much of it, or which.
 *
 *     A B C D  who speaks now; connects and proves itself    . end of the piece
 *     a b c d  the same without a proof                      l+ blanks, more than a line may have
 *     h x      closes its sending side, or all               ` a backquote
 *     z        reads what it is told no more, or again       k+ another configuration file
 *     t+ w     time passes, or until the next deadline       q+ K the keeper asks, or dies
 *     o++ e++  a process prints, or ends                     s+ i+ they obey, read their input
 *     f+       what becomes of the next one */
static void take_operation(unsigned byte, int64_t deadline_ms)
{
    if (byte == 'k')
        write_config(next_byte() & 15);
    change_client(byte);
    change_machine(byte, deadline_ms);
}

/* The next piece of what a client says, or something else that happens. */
static void take_input(int64_t deadline_ms)
{
    unsigned operation = 0;
    bool said;

    while (fuzz.at < fuzz.size && operation == 0) {
        char byte = (char)next_byte();

        if (byte == '`')
            operation = next_byte();
        if (operation == 'l')
            say_something_long(next_byte());
        else if (byte != '`' || operation == '`')
            buffer_append(&fuzz.piece, &byte, 1);
        if (operation == 'l' || operation == '`')
            operation = 0;
    }
    said = fuzz.piece.length > 0;
    if (said)
        client_send(fuzz.client, fuzz.piece.data, fuzz.piece.length);
    buffer_free(&fuzz.piece);
    (void)pump_clients();
    /* What was said is heard first, unless somebody leaves right behind his last word. */
    if (said && operation != 0 && operation != 'h' && operation != 'x')
        fuzz.at -= 2;
    else
        take_operation(operation, deadline_ms);
}

/* ---- The end --------------------------------------------------------------------------------- */

static void begin_phase(enum phase phase)
{
    fuzz.phase = phase;
    fuzz.phase_since_ms = fake_now_ms();
}

static bool all_are_answered(void)
{
    for (int i = 0; i < CLIENTS; i++)
        if (fuzz.clients[i].fd != -1 &&
                (fuzz.clients[i].pending_count > 0 || fuzz.clients[i].proves))
            return false;
    return true;
}

static bool all_have_left(void)
{
    for (int i = 0; i < CLIENTS; i++)
        if (fuzz.clients[i].fd != -1)
            return false;
    return true;
}

/* Clients and commands have gone, and so has what they took. */
static void check_nothing_is_left(void)
{
    const struct supervisor *sup = fuzz.sup;

    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
        REQUIRE(sup->control.clients[i] == NULL);
    for (int i = 0; i < STRANGERS_MAX; i++)
        REQUIRE(sup->control.strangers.list[i] == NULL);
    REQUIRE(exec_is_idle(sup));
    REQUIRE(__sanitizer_get_current_allocated_bytes() < fuzz.allocated + SPARE_BYTES);
}

/* Lets time pass until the next thing happens, which has to be in time. */
static void pass_time(int64_t deadline_ms)
{
    REQUIRE(deadline_ms != PLATFORM_NEVER);
    fake_advance(deadline_ms - fake_now_ms());
    REQUIRE(fake_now_ms() - fuzz.phase_since_ms < LIMIT_MS);
}

static void begin_end(void)
{
    for (int i = 0; i < CLIENTS; i++)
        fuzz.clients[i].is_deaf = false;
    fake_set_stubborn(false);
    fake_set_reads(true);
    fake_set_fate(FAKE_RUNS);
    begin_phase(PHASE_ANSWERS);
}

static void leave(void)
{
    for (int i = 0; i < CLIENTS; i++)
        client_half_close(&fuzz.clients[i]);
    begin_phase(PHASE_LEAVING);
}

static void stop(void)
{
    check_nothing_is_left();
    fake_ask_stop();
    begin_phase(PHASE_STOPPING);
}

static void end_well(int64_t deadline_ms)
{
    if (fuzz.phase != PHASE_STOPPING && fake_end_commands())
        return;
    if (fuzz.phase == PHASE_ANSWERS && all_are_answered())
        leave();
    else if (fuzz.phase == PHASE_LEAVING && all_have_left() && exec_is_idle(fuzz.sup))
        stop();
    else
        pass_time(deadline_ms);
}

static void on_idle(int64_t deadline_ms)
{
    if (fuzz.allocated == 0)
        fuzz.allocated = __sanitizer_get_current_allocated_bytes();
    if (pump_clients())
        return;
    if (fuzz.phase == PHASE_INPUT && fuzz.at == fuzz.size)
        begin_end();
    else if (fuzz.phase == PHASE_INPUT)
        take_input(deadline_ms);
    else
        end_well(deadline_ms);
}

/* ---- The run --------------------------------------------------------------------------------- */

/* What a process that ends leaves to the system. */
static void free_supervisor(struct supervisor *sup)
{
    for (int i = 0; i < EXEC_SESSIONS_MAX; i++) {
        if (sup->exec.sessions[i] == NULL)
            continue;
        sup->exec.sessions[i]->client = NULL; /* closed with the control channel */
        exec_remove(sup, sup->exec.sessions[i]);
    }
    for (int slot = 0; slot < MACHINE_SLOT_COUNT; slot++) {
        struct service *service = sup->instances[slot].service;

        sup->instances[slot].used = false;
        claim_release_service(sup, service);
    }
    service_free(sup->service);
    service_free(sup->next_service);
    adoption_forget_record(sup);
    buffer_free(&sup->record_text);
    buffer_free(&sup->journal.pending);
    platform_close(sup->journal.file);
    platform_close(sup->output.log.handle);
    platform_close(sup->record_file);
    platform_close(sup->lock);
    free(sup);
}

static unsigned count_fds(void)
{
    unsigned count = 0;

    for (int fd = 0; fd < CHECKED_FDS; fd++)
        count += fcntl(fd, F_GETFD) != -1;
    return count;
}

static void run_supervisor(void)
{
    const struct supervisor_options options = {
        .name = "web",
        .config_path = config_path,
        .state_directory = state_path,
        .background = true,
        .control_over_tcp = fuzz.over_tcp,
    };
    int pair[2];

    fuzz.sup = calloc(1, sizeof *fuzz.sup);
    REQUIRE(fuzz.sup != NULL && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    client_open(&fuzz.clients[0], pair[0], NULL, false);
    fake_reset(pair[1]);
    (void)live(fuzz.sup, &options);
    fuzz.sup->done = true;
    (void)pump_clients();
    for (int i = 0; i < CLIENTS; i++)
        client_close(&fuzz.clients[i]);
    free_supervisor(fuzz.sup);
    fake_end();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *parent = getenv("TMPDIR");

    (void)argc;
    (void)argv;
    (void)str_format(
            place, sizeof place, "%s/svcmgr-fuzz-XXXXXX", parent != NULL ? parent : "/tmp");
    REQUIRE(mkdtemp(place) != NULL);
    (void)atexit(remove_place);
    (void)str_format(config_path, sizeof config_path, "%s/web.json", place);
    (void)str_format(state_path, sizeof state_path, "%s/web", place);
    fake_begin();
    fake_on_idle(on_idle);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    unsigned fds = count_fds();

    if (size == 0)
        return 0;
    memset(&fuzz, 0, sizeof fuzz);
    fuzz.input = bytes;
    fuzz.size = size;
    fuzz.over_tcp = (bytes[0] & 1) != 0;
    fuzz.at = 1;
    fuzz.client = &fuzz.clients[0];
    for (int i = 0; i < CLIENTS; i++)
        fuzz.clients[i].fd = -1;
    empty_place();
    REQUIRE(mkdir(state_path, 0700) == 0);
    write_config(((bytes[0] - (unsigned)'0') & 31u) >> 1);
    run_supervisor();
    REQUIRE(count_fds() == fds);
    return 0;
}
