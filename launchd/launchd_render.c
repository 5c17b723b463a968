#include "launchd_render.h"

#include <string.h>

#include "str.h"
#include "xml_text.h"

#include "banned.h"

#define MARK       "<!-- Written by svcmgr for the service "
#define STATE_MARK "<!-- svcmgr-state: "

/* launchd's own default: a keeper that was killed is back at once if it had run for so long. */
#define THROTTLE_S 10
/* svcmgr's own descriptors; launchd begins with 256. */
#define OPEN_FILES 4096

/* A plist on its way. */
struct plist {
    struct buffer *out;
    unsigned depth;
    struct err *err;
    bool failed; /* *err says why */
};

void launchd_render_label(const char *name, char *ret_label, size_t size)
{
    (void)str_format(ret_label, size, "svcmgr.%s", name);
}

void launchd_render_file_name(const char *name, char *ret_name, size_t size)
{
    (void)str_format(ret_name, size, "svcmgr.%s.plist", name);
}

void launchd_render_log(const char *state_path, char *ret_path, size_t size)
{
    (void)str_format(ret_path, size, "%s/launchd.log", state_path);
}

/* ---- Elements -------------------------------------------------------------------------------- */

static void indent(struct plist *plist)
{
    for (unsigned i = 0; i < plist->depth; i++)
        buffer_puts(plist->out, "\t");
}

static void put_line(struct plist *plist, const char *line)
{
    indent(plist);
    buffer_printf(plist->out, "%s\n", line);
}

/* A value stands behind its key, so that how two plists differ can be read line by line. */
static void begin_value(struct plist *plist, const char *key)
{
    indent(plist);
    if (key != NULL)
        buffer_printf(plist->out, "<key>%s</key> ", key);
}

static void open_element(struct plist *plist, const char *key, const char *element)
{
    begin_value(plist, key);
    buffer_printf(plist->out, "%s\n", element);
    plist->depth++;
}

static void close_element(struct plist *plist, const char *element)
{
    plist->depth--;
    put_line(plist, element);
}

static void put_number(struct plist *plist, const char *key, uint64_t value)
{
    begin_value(plist, key);
    buffer_printf(plist->out, "<integer>%llu</integer>\n", (unsigned long long)value);
}

static void put_bool(struct plist *plist, const char *key, bool value)
{
    begin_value(plist, key);
    buffer_puts(plist->out, value ? "<true/>\n" : "<false/>\n");
}

/* 'what' says what the text is, if it cannot be said here. */
static void put_string(struct plist *plist, const char *key, const char *what, const char *text)
{
    begin_value(plist, key);
    buffer_puts(plist->out, "<string>");
    if (!plist->failed && xml_text("a plist", what, text, plist->out, plist->err) == -1)
        plist->failed = true;
    buffer_puts(plist->out, "</string>\n");
}

/* ---- The head -------------------------------------------------------------------------------- */

static void put_state_mark(const char *state_path, struct buffer *out)
{
    buffer_puts(out, STATE_MARK);
    xml_text_comment(state_path, out);
    buffer_puts(out, " -->\n");
}

static void put_head(const struct definition_input *input, struct buffer *out)
{
    buffer_printf(out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" "
            "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n" MARK
            "%s: 'svcmgr install' writes it anew,\n"
            "     'svcmgr uninstall' removes it. -->\n",
            input->config->name);
    put_state_mark(input->state_path, out);
    buffer_puts(out, "<plist version=\"1.0\">\n");
}

enum definition_owner launchd_render_owner_of(const char *text, const char *state_path)
{
    struct buffer wanted = { 0 };
    const char *mark = strstr(text, "\n" STATE_MARK);
    enum definition_owner owner = DEFINITION_OTHER;

    if (strstr(text, "\n" MARK) == NULL || mark == NULL)
        return DEFINITION_FOREIGN;
    put_state_mark(state_path, &wanted);
    if (!wanted.failed && strncmp(mark + 1, buffer_text(&wanted), wanted.length) == 0)
        owner = DEFINITION_OURS;
    buffer_free(&wanted);
    return owner;
}

/* ---- The job --------------------------------------------------------------------------------- */

static void put_command(const struct definition_input *input, struct plist *plist)
{
    static const char what[] = "a word of the command line";

    open_element(plist, "ProgramArguments", "<array>");
    put_string(plist, NULL, "the path of svcmgr", input->executable);
    put_string(plist, NULL, what, input->system_scope ? "--system" : "--user");
    if (input->config_dir != NULL) {
        put_string(plist, NULL, what, "--config-dir");
        put_string(plist, NULL, "the path of the configurations", input->config_dir);
    }
    if (input->state_dir != NULL) {
        put_string(plist, NULL, what, "--state-dir");
        put_string(plist, NULL, "the path of the state", input->state_dir);
    }
    put_string(plist, NULL, what, "run");
    put_string(plist, NULL, what, input->config->name);
    put_string(plist, NULL, what, "--duplicate");
    put_string(plist, NULL, what, "standby");
    close_element(plist, "</array>");
}

/* Only the keeper's death is restarted: whatever svcmgr decides ends with 0. */
static void put_life(const struct definition_input *input, struct plist *plist)
{
    int64_t exit_s = (definition_stop_ms(input->config) + 999) / 1000;

    if (!input->system_scope && exit_s > LAUNCHD_RENDER_SESSION_EXIT_S)
        exit_s = LAUNCHD_RENDER_SESSION_EXIT_S;
    put_bool(plist, "RunAtLoad", true);
    open_element(plist, "KeepAlive", "<dict>");
    put_bool(plist, "SuccessfulExit", false);
    close_element(plist, "</dict>");
    put_number(plist, "ThrottleInterval", THROTTLE_S);
    put_number(plist, "ExitTimeOut", (uint64_t)exit_s);
}

/* Without a type a job's processor time and disk are throttled a little, also while somebody waits
 * for an answer. */
static void put_surroundings(const struct definition_input *input, struct plist *plist)
{
    const struct config *config = input->config;
    int64_t files = config->limits[CONFIG_LIMIT_NOFILE];

    put_string(plist, "ProcessType", "", config->listener_count > 0 ? "Interactive" : "Standard");
    if (!input->system_scope)
        put_string(plist, "LimitLoadToSessionType", "",
                input->without_screen ? LAUNCHD_RENDER_BACKGROUND : LAUNCHD_RENDER_AQUA);
    put_number(plist, "Umask", (uint64_t)config->umask);
    open_element(plist, "SoftResourceLimits", "<dict>");
    put_number(plist, "NumberOfFiles", files > OPEN_FILES ? (uint64_t)files : OPEN_FILES);
    close_element(plist, "</dict>");
    if (input->search_path[0] != '\0') {
        open_element(plist, "EnvironmentVariables", "<dict>");
        put_string(plist, "PATH", "PATH", input->search_path);
        close_element(plist, "</dict>");
    }
}

/* launchd appends to these for ever: what an instance prints goes there only if it is to. */
static void put_output(const struct definition_input *input, struct plist *plist)
{
    char path[DEFINITION_PATH_BYTES];

    launchd_render_log(input->state_path, path, sizeof path);
    put_string(plist, "StandardErrorPath", "the path of the state", path);
    if (input->config->log_destination == CONFIG_LOG_INHERIT)
        put_string(plist, "StandardOutPath", "the path of the state", path);
}

/* ---- Sockets --------------------------------------------------------------------------------- */

static void put_ip(struct plist *plist, const struct address *address)
{
    char host[ADDRESS_TEXT_BYTES];
    char port[16];
    bool is_dual = address->family == ADDRESS_IPV6 && address_is_wildcard(address);

    open_element(plist, NULL, "<dict>");
    address_format_host(address, host, sizeof host);
    (void)str_format(port, sizeof port, "%u", (unsigned)address->port);
    /* One socket for both families; with a node name there would be one of IPv6 alone. */
    put_string(plist, "SockFamily", "",
            is_dual                                   ? "IPv4v6"
                    : address->family == ADDRESS_IPV4 ? "IPv4"
                                                      : "IPv6");
    if (!is_dual)
        put_string(plist, "SockNodeName", "an address", host);
    put_string(plist, "SockServiceName", "", port);
    put_string(plist, "SockType", "", "stream");
    close_element(plist, "</dict>");
}

static int put_listener(
        struct plist *plist, const struct config_listener *listener, struct err *err)
{
    struct address twin = address_ipv6_loopback(listener->address.port);

    if (listener->address.family == ADDRESS_UNIX) {
        open_element(plist, NULL, "<dict>");
        put_string(plist, "SockPathName", "the path of a socket", listener->address.path);
        put_number(plist, "SockPathMode", (uint64_t)listener->mode);
        put_string(plist, "SockType", "", "stream");
        close_element(plist, "</dict>");
        return 0;
    }
    if (listener->address.port == 0)
        return err_set(err, ERR_CONFIG, 0,
                "a plist needs a port, and that of listener \"%s\" is for the kernel to choose; "
                "install it without --socket",
                listener->name);
    put_ip(plist, &listener->address);
    if (listener->localhost && listener->both)
        put_ip(plist, &twin);
    return 0;
}

static int put_sockets(const struct config *config, struct plist *plist, struct err *err)
{
    if (config->listener_count == 0)
        return err_set(err, ERR_CONFIG, 0,
                "it listens nowhere (\"listen\"), so there is nothing for launchd to hold; install "
                "it without --socket");
    open_element(plist, "Sockets", "<dict>");
    open_element(plist, LAUNCHD_RENDER_SOCKETS, "<array>");
    for (size_t i = 0; i < config->listener_count; i++)
        if (put_listener(plist, &config->listeners[i], err) == -1)
            return -1;
    close_element(plist, "</array>");
    close_element(plist, "</dict>");
    return 0;
}

/* ---- All of it ------------------------------------------------------------------------------- */

static int put_job(const struct definition_input *input, struct plist *plist, struct err *err)
{
    char label[DEFINITION_NAME_BYTES];

    put_line(plist, "<dict>");
    plist->depth++;
    launchd_render_label(input->config->name, label, sizeof label);
    put_string(plist, "Label", "", label);
    put_command(input, plist);
    put_life(input, plist);
    put_surroundings(input, plist);
    put_output(input, plist);
    if (input->with_socket && put_sockets(input->config, plist, err) == -1)
        return -1;
    close_element(plist, "</dict>");
    buffer_puts(plist->out, "</plist>\n");
    return plist->failed ? -1 : 0;
}

int launchd_render(
        const struct definition_input *input, struct definition *ret_definition, struct err *err)
{
    char name[DEFINITION_NAME_BYTES];
    struct definition made = { .count = 0 };
    struct plist plist = { .err = err };
    int result;

    if (input->config == NULL)
        return err_set(err, ERR_USAGE, 0,
                "launchd has no definition for all services; install them by name");
    launchd_render_file_name(input->config->name, name, sizeof name);
    plist.out = definition_add(&made, name);
    put_head(input, plist.out);
    result = put_job(input, &plist, err);
    if (result == 0 && plist.out->failed)
        result = err_memory(err);
    if (result == -1)
        definition_free(&made);
    else
        *ret_definition = made;
    return result;
}

/* ---- Reading it again ------------------------------------------------------------------------ */

/* What follows "<key>KEY</key>" and the element's begin. */
static const char *value_at(const char *text, const char *key, const char *element)
{
    char wanted[DEFINITION_NAME_BYTES];
    const char *at;

    (void)str_format(wanted, sizeof wanted, "<key>%s</key>", key);
    at = strstr(text, wanted);
    if (at == NULL)
        return NULL;
    at += strlen(wanted);
    at += strspn(at, "\t \n");
    return strncmp(at, element, strlen(element)) == 0 ? at + strlen(element) : NULL;
}

bool launchd_render_string(const char *text, const char *key, char *ret_value, size_t size)
{
    const char *at = value_at(text, key, "<string>");

    return at != NULL && xml_text_read(at, ret_value, size);
}

bool launchd_render_number(const char *text, const char *key, uint64_t *ret_value)
{
    const char *at = value_at(text, key, "<integer>");
    char number[32];

    return at != NULL && xml_text_read(at, number, sizeof number) &&
            str_to_uint(number, INT32_MAX, ret_value);
}

bool launchd_render_has_sockets(const char *text)
{
    return value_at(text, "Sockets", "<dict>") != NULL;
}
