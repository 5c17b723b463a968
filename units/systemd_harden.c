#include "systemd_harden.h"

#include <string.h>

#include "systemd_escape.h"

#include "banned.h"

/* ---- What the service may want to see -------------------------------------------------------- */

/* Whether a path that begins with 'directory' stands anywhere in a text: alone, behind "--x=", in a
 * list like PATH. */
static bool names(const char *text, const char *directory)
{
    size_t length = strlen(directory);

    if (text == NULL)
        return false;
    for (const char *at = strstr(text, directory); at != NULL; at = strstr(at + 1, directory)) {
        char before = at == text ? '\0' : at[-1];
        bool begins = before == '\0' || strchr(" \t\n:;,=\"'([{<>@", before) != NULL;

        if (begins && (at[length] == '\0' || strchr("/ \t\n:;,\"')]}", at[length]) != NULL))
            return true;
    }
    return false;
}

static bool words_name(const struct config_words *words, const char *directory)
{
    for (size_t i = 0; i < words->count; i++)
        if (names(words->list[i], directory))
            return true;
    return false;
}

static bool config_names(const struct config *config, const char *directory)
{
    for (size_t i = 0; i < config->environment_count; i++)
        if (names(config->environment[i].value, directory))
            return true;
    for (size_t i = 0; i < config->listener_count; i++)
        if (config->listeners[i].address.family == ADDRESS_UNIX &&
                names(config->listeners[i].address.path, directory))
            return true;
    return names(config->directory, directory) || words_name(&config->command, directory) ||
            words_name(&config->health_command, directory) ||
            words_name(&config->stop_command, directory);
}

/* Whether nothing that is known of the service lies below a directory.  What stands in a file of
 * variables is not known. */
static bool is_unused(const struct definition_input *input, const char *directory)
{
    return input->config != NULL && input->config->environment_file_count == 0 &&
            !config_names(input->config, directory) && !names(input->executable, directory) &&
            !names(input->config_path, directory) && !names(input->state_path, directory) &&
            input->home != NULL && !names(input->home, directory);
}

/* Not for limits.cpu: a group shares time out, it does not limit how much there is of it. */
bool systemd_harden_needs_cgroup(const struct definition_input *input)
{
    return input->config != NULL && input->config->limits[CONFIG_LIMIT_MEMORY] > 0;
}

/* ---- The block ------------------------------------------------------------------------------- */

/* In a unit of a user's manager too, where these are all that can be had without a user namespace
 * of its own. */
static void harden_any(struct buffer *out)
{
    buffer_puts(out,
            "NoNewPrivileges=yes\n"
            "LockPersonality=yes\n"
            "RestrictRealtime=yes\n"
            "RestrictSUIDSGID=yes\n"
            "SystemCallArchitectures=native\n");
}

/* What a program that runs as root may keep is what a container leaves it; the rest is svcmgr's. */
static void limit_capabilities(const struct definition_input *input, struct buffer *out)
{
    buffer_puts(out,
            "# svcmgr: ends and looks at processes of others, changes the user, binds, sets "
            "limits\n"
            "CapabilityBoundingSet=CAP_KILL CAP_SYS_PTRACE CAP_SETUID CAP_SETGID CAP_CHOWN\n"
            "CapabilityBoundingSet=CAP_FOWNER CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH\n"
            "CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_SYS_RESOURCE CAP_SYS_NICE\n");
    if (input->as_root)
        buffer_puts(out,
                "# The program, as root\n"
                "CapabilityBoundingSet=CAP_AUDIT_WRITE CAP_FSETID CAP_IPC_LOCK CAP_NET_RAW\n"
                "CapabilityBoundingSet=CAP_SETFCAP CAP_SETPCAP CAP_SYS_CHROOT\n");
}

static void limit_files(const struct definition_input *input, struct buffer *out)
{
    buffer_puts(out, "PrivateMounts=yes\nProtectSystem=full\nReadWritePaths=");
    if (input->config == NULL) {
        systemd_escape_path(
                "-", input->state_dir != NULL ? input->state_dir : input->state_path, out);
    } else {
        systemd_escape_path("-", input->state_path, out);
        if (input->config->directory != NULL && strcmp(input->config->directory, "/") != 0) {
            buffer_puts(out, " ");
            systemd_escape_path("-", input->config->directory, out);
        }
    }
    buffer_puts(out, "\n");
    if (is_unused(input, "/home") && is_unused(input, "/root") && is_unused(input, "/run/user"))
        buffer_puts(out, "ProtectHome=yes\n");
    if (is_unused(input, "/tmp") && is_unused(input, "/var/tmp"))
        buffer_puts(out, "PrivateTmp=yes\n");
}

void systemd_harden(const struct definition_input *input, struct buffer *out)
{
    buffer_printf(out, "\n# What is too narrow for this service: systemctl%s edit changes it.\n",
            input->system_scope ? "" : " --user");
    harden_any(out);
    if (!input->system_scope)
        return;
    limit_files(input, out);
    /* Not here: ProtectClock= and PrivateDevices= close all devices, a web server's GPU among them;
     * ProtectProc= hides who holds an address; MemoryDenyWriteExecute= ends every JIT compiler. */
    if (!systemd_harden_needs_cgroup(input))
        buffer_puts(out, "ProtectControlGroups=yes\n");
    buffer_puts(out,
            "ProtectHostname=yes\n"
            "ProtectKernelLogs=yes\n"
            "ProtectKernelModules=yes\n"
            "ProtectKernelTunables=yes\n"
            "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK\n"
            "RestrictNamespaces=yes\n"
            "SystemCallErrorNumber=EPERM\n"
            "# pidfd_getfd: svcmgr takes a socket back from an instance that outlived it\n"
            "SystemCallFilter=@system-service pidfd_getfd\n");
    limit_capabilities(input, out);
}
