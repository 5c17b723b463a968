/* Bytes -> a configuration and events, fed to the machine in the model's world, which checks every
 * rule of machine.h; at the end everything comes to rest. */
#include <stdint.h>
#include <stdio.h>

#include "fuzz.h"
#include "world.h"

#include "banned.h"

/* Longer than any input lasts: the world counts short runs and does not look when they were. */
#define WITHIN_MS 86400000

struct input {
    const uint8_t *bytes;
    size_t left;
};

static unsigned take(struct input *input, unsigned count)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->bytes++ % count;
}

static struct machine_config take_config(struct input *input)
{
    struct machine_config config = {
        .start_timeout_ms = 1000,
        .stop_timeout_ms = 500,
        .restart = (enum machine_restart)take(input, 3),
        .backoff = { .delay_ms = 10,
                .max_delay_ms = 1000,
                .factor_thousandths = 2000,
                .within_ms = WITHIN_MS },
    };

    config.backoff.burst = take(input, 5);
    config.restart_on_unhealthy = take(input, 2) != 0;
    config.overlap = take(input, 2) != 0;
    config.by_hand = take(input, 2) != 0;
    config.exit_when_failed = take(input, 2) != 0;
    config.exit_with_instance = take(input, 2) != 0;
    return config;
}

static void require(bool held, const struct world *world)
{
    if (!held)
        (void)fprintf(stderr, "broken: %s\n", world->broken);
    REQUIRE(held);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct input input = { bytes, size };
    struct machine_config config = take_config(&input);
    enum world_manner manner = (enum world_manner)take(&input, WORLD_MANNER_COUNT);
    struct world world;

    world_init(&world, &config);
    while (input.left > 0 && !world.done) {
        struct machine_event event = {
            .kind = (enum machine_event_kind)take(&input, MACHINE_EVENT_COUNT),
            .slot = (enum machine_slot)take(&input, MACHINE_SLOT_COUNT),
            .code = (int)take(&input, 200),
            .ms = take(&input, 200),
        };

        event.clean = event.code == 0;
        world.now_ms += take(&input, 256) * 10;
        if (world_makes_sense(&world, &event))
            require(world_step(&world, event), &world);
    }
    require(world_settle(&world, manner), &world);
    return 0;
}
