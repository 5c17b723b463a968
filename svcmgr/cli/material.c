#include "material.h"

#include "dependencies.h"
#include "installed.h"
#include "report.h"

#include "banned.h"

int material_fill_places(const struct cli *cli, struct material *material, struct err *err)
{
    const char *state =
            cli->state_dir != NULL ? cli->state_dir : platform_environment("SVCMGR_STATE_DIR");

    if (!platform_executable(material->executable, sizeof material->executable))
        return err_set(err, ERR_FAILED, 0, "this program cannot find out where it is");
    material->input.executable = material->executable;
    if (cli->config_dir != NULL) {
        if (scope_absolute(
                    cli->config_dir, material->config_dir, sizeof material->config_dir, err) == -1)
            return -1;
        material->input.config_dir = material->config_dir;
    }
    if (state != NULL && state[0] != '\0') {
        if (scope_absolute(state, material->state_dir, sizeof material->state_dir, err) == -1)
            return -1;
        material->input.state_dir = material->state_dir;
    }
    return 0;
}

static void fill_user(struct material *material)
{
    const char *name = material->service->config.user;
    struct err ignored;

    if ((name != NULL ? platform_user_by_name(name, &material->user, &ignored)
                      : platform_user_self(&material->user, &ignored)) == 0)
        material->input.home = material->user.home;
    material->input.as_root = material->input.system_scope &&
            (name == NULL || (material->input.home != NULL && material->user.uid == 0));
    /* Shown by somebody else, for root. */
    if (name == NULL && material->input.system_scope && !platform_is_privileged())
        material->input.home = "/root";
}

/* Reads the configuration and those of what it depends on, and says what is wrong with them. */
static int load(const struct cli *cli, const struct target *target, struct material *material,
        struct err *err)
{
    struct dependency_order order = { .count = 0 };
    struct json_faults faults = { 0 };
    char fault_path[PLATFORM_PATH_BYTES] = "";
    int result = dependencies_resolve(cli, target, &order, &faults, fault_path, err);

    if (result == -1 && faults.count > 0) {
        report_faults(fault_path, &faults);
        err_set(err, err->kind, 0, "the configuration is invalid");
    }
    for (size_t i = 0; result == 0 && i < order.count; i++) {
        const struct target *one = &order.list[i].target;
        const struct config *config;

        service_free(material->service);
        material->service = NULL;
        result = service_load(one->name, one->config_path, &material->service, NULL, err);
        if (result == -1 || i + 1 == order.count)
            break;
        config = &material->service->config;
        material->input.start_first_ms +=
                config->probe_timeout_ms + config->bind_timeout_ms + config->start_timeout_ms;
    }
    json_faults_free(&faults);
    dependencies_free(&order);
    return result;
}

int material_gather(const struct cli *cli, const struct target *target,
        const struct launcher *launcher, struct material *material, struct err *err)
{
    struct definition_input *input = &material->input;
    struct launcher_place place = installed_place(target);

    input->system_scope = target->is_system;
    input->with_socket = cli->with_socket;
    input->config_path = target->config_path;
    input->state_path = target->state_path;
    if (material_fill_places(cli, material, err) == -1 || load(cli, target, material, err) == -1)
        return -1;
    input->config = &material->service->config;
    launcher->look(&place, input);
    fill_user(material);
    return 0;
}

void material_free(struct material *material)
{
    service_free(material->service);
}
