/* The guard, the lock, the record and the two ways to go on, as a model for spin.
 *
 * Two launches ('svcmgr start' or 'svcmgr run') compete for one state directory.  Each is a keeper
 * and a supervisor.  Any of them, and any instance, may be killed between any two steps, CRASHES
 * times in all.  A stranger may take the address and leave it.  Somebody asks to start and to stop.
 * After a while there is calm: nothing is killed any more and the stranger is gone.  Then a start
 * must end with exactly one instance that is ready.
 *
 * One step here (an atomic or d_step sequence, or a single statement) is what one system call
 * settles in the code, or what touches nothing that others see.  Names are those of the code;
 * docs/MODEL.md has the table, the bounds, and what is left out.
 *
 * Properties, by the numbers of docs/MODEL.md.  Their names stand in the assertions, so that the
 * checker's report says which one was broken.  ONLY leaves one of them, by its place. */
#ifdef ONLY
#define IS_LEFT_OUT(place) (ONLY != place)
#else
#define IS_LEFT_OUT(place) 0
#endif
hidden byte I1_one_holder_of_the_lock = IS_LEFT_OUT(1);
hidden byte I2_one_instance = IS_LEFT_OUT(2);
hidden byte I3_no_stranger_is_touched = IS_LEFT_OUT(3);
hidden byte I7_recorded = IS_LEFT_OUT(4);
hidden byte I7_one_is_ready = IS_LEFT_OUT(5);

#ifndef CRASHES
#define CRASHES 2
#endif
#ifndef PROCESSES
#define PROCESSES 2 /* instances that exist at the same time, in any state */
#endif

#define LAUNCHES 2
#define FINAL_STARTS 2 /* how often a start tries again in the calm */

/* A process that is named by its identity: one of the table, none, or one that is gone for good.
 * Pid, start time and boot id together name a process for ever; the number alone does not. */
#define NONE 0
#define GONE_FOR_GOOD (PROCESSES + 1)

#define BY_HAND(i)  (i == 0) /* 'start': tried once.  The other is 'run' under a launcher */
#define STANDBY(i)  (i == 1) /* duplicate: standby.  The other refuses */

/* ---- What the system keeps ------------------------------------------------------------------- */

/* A process that supervisors start.  'left' are others of its tree; they carry its instance id. */
#define FREE       0
#define FORKED     1 /* still has every descriptor of its supervisor, the lock too */
#define AT_BARRIER 2
#define RUNS       3
#define ZOMBIE     4
#define ZOMBIE_127 5 /* it ended at the barrier */
#define REAPED     6 /* only others of its tree are left */

#define INIT          0
#define SUPERVISOR(i) (1 + i)
#define KEEPER(i)     (1 + LAUNCHES + i)

typedef process_type {
    byte state;
    byte parent;
    bit go;   /* the barrier is open: the byte lies in the pipe */
    bit term; /* a signal to end is under way */
    bit left
};
process_type process[PROCESSES + 2]; /* the first and the last stay free */

/* Who has the address.  Our own socket is derived: whoever holds a copy keeps it listening. */
#define AWAY    0
#define SILENT  1
#define ANSWERS 2
byte stranger;

/* The machine, as far as it matters here. */
#define UNREADABLE 0 /* a record: missing or torn */
#define GUARDS     1
#define MACHINE_RUNS 2
#define WAITS      3
#define GAVE_UP    4
#define STANDS_BY  5
#define DONE       6

#define PHASE_NONE 0
#define STARTING   1
#define READY      2
#define STOPPING   3
#define KILLING    4

/* The newest whole slot on disk. */
typedef record_type {
    byte activity;
    byte phase;
    byte process;
    bit main_ended;
    bit asked;
    bit want_down;
    bit first;
    bit guarded_once;
    byte keeper /* the launch that wrote it; NONE: its keeper is dead */
};
record_type record;

#define DEAD   0
#define ALIVE  1
#define KILLED 2 /* dead, and its process here has not come to its end yet */

#define OF_OURS   0
#define OF_KEEPER 1
#define OF_NOBODY 2

typedef supervisor_type {
    byte life;
    bit lock;
    bit socket;
    bit answers; /* the control channel is open */
    bit may_record;
    bit stop_asked;
    byte activity;
    byte phase;
    byte process;
    bit main_ended;
    bit asked;
    bit want_down;
    bit first;
    bit guarded_once;
    byte parent; /* whose child the instance is, as far as the supervisor knows */
    byte unreaped /* its end is to be written down before it is reaped */
};
supervisor_type sup[LAUNCHES];

typedef keeper_type {
    bit alive;
    bit lock;
    bit socket;
    bit decided;
    bit recorded[PROCESSES + 2]
};
keeper_type keeper[LAUNCHES];

byte crashes = CRASHES;
byte final_starts = FINAL_STARTS;
bit calm;

/* What may happen again and again for ever, before the calm.  Any other cycle is one that nothing
 * ends: with LIVENESS the checker looks for these. */
#ifdef LIVENESS
#define AGAIN(label) ; label: skip
#else
#define AGAIN(label)
#endif

/* Scratch inside one step; set after a loop, so that the loop ends inside the step. */
hidden byte k, other, which;

/* ---- What can be seen of it ------------------------------------------------------------------ */

#define EXISTS(p)   (process[p].state >= FORKED && process[p].state <= RUNS)
#define IS_ZOMBIE(p) (process[p].state == ZOMBIE || process[p].state == ZOMBIE_127)

/* The same process: pid, start time, boot id. */
#ifdef FAULT_PID_ONLY
#define IS_SAME(p) (EXISTS(p) || (p == GONE_FOR_GOOD && stranger != AWAY)) /* who has the pid now */
#else
#define IS_SAME(p) EXISTS(p)
#endif

/* flock(2): free when the last copy of the descriptor is closed, also a copy in a fresh child. */
#ifdef FAULT_LOCK_OF_PROCESS
#define KEEPS_LOCK(i) (sup[i].lock) /* as with fcntl(2): the keeper's copy is worth nothing */
#else
#define KEEPS_LOCK(i) (sup[i].lock || keeper[i].lock)
#endif
#define HOLDS_SOCKET(p) (EXISTS(p) || process[p].left)
#if PROCESSES == 2
#define SOME_FORKED (process[1].state == FORKED || process[2].state == FORKED)
#define SOME_HOLDS_SOCKET (HOLDS_SOCKET(1) || HOLDS_SOCKET(2))
#define SOME_RUNS (process[1].state == RUNS || process[2].state == RUNS)
#define SOME_LEFT (process[1].left || process[2].left)
#define IN_USE ((process[1].state != FREE) + (process[2].state != FREE))
#else
#define SOME_FORKED (process[1].state == FORKED || process[2].state == FORKED || \
        process[3].state == FORKED)
#define SOME_HOLDS_SOCKET (HOLDS_SOCKET(1) || HOLDS_SOCKET(2) || HOLDS_SOCKET(3))
#define SOME_RUNS (process[1].state == RUNS || process[2].state == RUNS || process[3].state == RUNS)
#define SOME_LEFT (process[1].left || process[2].left || process[3].left)
#define IN_USE ((process[1].state != FREE) + (process[2].state != FREE) + \
        (process[3].state != FREE))
#endif
#define LOCK_IS_FREE (!KEEPS_LOCK(0) && !KEEPS_LOCK(1) && !SOME_FORKED)

#define OURS_LISTENS \
    (sup[0].socket || sup[1].socket || keeper[0].socket || keeper[1].socket || SOME_HOLDS_SOCKET)
#define PORT_IS_FREE (stranger == AWAY && !OURS_LISTENS)
/* A connection to the address gets a byte. */
#define ADDRESS_ANSWERS (stranger == ANSWERS || (OURS_LISTENS && SOME_RUNS))

#define IS_IDLE(i) (sup[i].life == DEAD && !keeper[i].alive)

/* ---- Processes end --------------------------------------------------------------------------- */

/* Its number may be given to another one; its identity never. */
inline forget_process(p)
{
    process[p].state = FREE;
    process[p].parent = INIT;
    process[p].go = 0;
    process[p].term = 0;
    if
    :: record.process == p -> record.process = GONE_FOR_GOOD
    :: else
    fi;
    for (other : 0 .. LAUNCHES - 1) {
        keeper[other].recorded[p] = 0;
        if
        :: sup[other].process == p -> sup[other].process = GONE_FOR_GOOD
        :: else
        fi;
        if
        :: sup[other].unreaped == p -> sup[other].unreaped = NONE
        :: else
        fi
    };
    other = 0
}

inline platform_reap(p)
{
    if
    :: IS_ZOMBIE(p) && process[p].left -> process[p].state = REAPED
    :: IS_ZOMBIE(p) && !process[p].left -> forget_process(p)
    :: else
    fi
}

/* The parent gets a zombie; the init process reaps at once. */
inline end_process(p, how)
{
    process[p].state = how;
    process[p].go = 0;
    process[p].term = 0;
    if
    :: process[p].parent == INIT -> platform_reap(p)
    :: else
    fi
}

inline end_rest(p)
{
    process[p].left = 0;
    if
    :: process[p].state == REAPED -> forget_process(p)
    :: else
    fi
}

/* Orphans go to the nearest sub-reaper, with their zombies: prctl(2). */
inline give_orphans(from, to)
{
    for (k : 1 .. PROCESSES) {
        if
        :: process[k].parent == from ->
            process[k].parent = to;
            if
            :: to == INIT -> platform_reap(k)
            :: else
            fi
        :: else
        fi
    };
    k = 0
}

inline end_supervisor(i, how)
{
    sup[i].lock = 0;
    sup[i].socket = 0;
    sup[i].answers = 0;
    sup[i].may_record = 0;
    sup[i].stop_asked = 0;
    sup[i].activity = 0;
    sup[i].phase = PHASE_NONE;
    sup[i].process = NONE;
    sup[i].main_ended = 0;
    sup[i].asked = 0;
    sup[i].want_down = 0;
    sup[i].first = 0;
    sup[i].guarded_once = 0;
    sup[i].parent = 0;
    sup[i].unreaped = NONE;
    sup[i].life = how;
    which = (keeper[i].alive -> KEEPER(i) : INIT);
    give_orphans(SUPERVISOR(i), which)
}

inline end_keeper(i)
{
    keeper[i].alive = 0;
    keeper[i].lock = 0;
    keeper[i].socket = 0;
    keeper[i].decided = 0;
    for (k : 1 .. PROCESSES) {
        keeper[i].recorded[k] = 0
    };
    k = 0
    if
    :: record.keeper == i + 1 -> record.keeper = NONE
    :: else
    fi;
    if /* on_keeper_gone(): it is the init process's child now, and watched */
    :: sup[i].parent == OF_KEEPER -> sup[i].parent = OF_NOBODY
    :: else
    fi;
    give_orphans(KEEPER(i), INIT)
}

/* ---- The supervisor's means ------------------------------------------------------------------ */

inline check_lock()
{
    assert(!((sup[0].lock || keeper[0].lock) && (sup[1].lock || keeper[1].lock)) ||
            I1_one_holder_of_the_lock)
}

/* write_record(): the slot that is not the newest is written, so that until the write is whole the
 * newest one is the former. */
inline write_record(i)
{
    if
    :: sup[i].may_record ->
#ifdef FAULT_RECORD_IN_PLACE
        d_step { record.activity = UNREADABLE };
#endif
        d_step {
            record.activity = sup[i].activity;
            record.phase = sup[i].phase;
            record.process = sup[i].process;
            record.main_ended = sup[i].main_ended;
            record.asked = sup[i].asked;
            record.want_down = sup[i].want_down;
            record.first = sup[i].first;
            record.guarded_once = sup[i].guarded_once;
            record.keeper = (keeper[i].alive -> i + 1 : NONE);
            for (k : 1 .. PROCESSES) {
                assert((process[k].state != RUNS && !process[k].left) || record.process == k ||
                        I7_recorded)
            };
            k = 0
        }
    :: else
    fi
}

/* link_reap(): the keeper forgets it, and reaps it if it lies there. */
inline link_reap(i, p)
{
    if
    :: keeper[i].alive ->
        keeper[i].recorded[p] = 0;
        if
        :: process[p].parent == KEEPER(i) -> platform_reap(p)
        :: else
        fi
    :: else
    fi
}

/* link_record() and link_hold(), sent: what is sent is as good as received. */
inline tell_keeper(i)
{
    d_step {
        if
        :: keeper[i].alive ->
            keeper[i].socket = 1;
            keeper[i].recorded[sup[i].process] = (process[sup[i].process].state != FREE)
        :: else
        fi
    }
}

/* publish_reap(): only now that its end is written down. */
inline publish_reap(i)
{
    d_step {
        if
        :: sup[i].unreaped != NONE ->
            if
            :: process[sup[i].unreaped].parent == SUPERVISOR(i) ->
                keeper[i].recorded[sup[i].unreaped] = 0;
                which = sup[i].unreaped; platform_reap(which)
            :: else -> which = sup[i].unreaped; link_reap(i, which)
            fi;
            sup[i].unreaped = NONE
        :: else
        fi
    }
}

/* platform_signal(): only to a process whose identity holds. */
inline signal_process(p)
{
    if
    :: IS_SAME(p) ->
        assert(p != GONE_FOR_GOOD || I3_no_stranger_is_touched);
        process[p].term = 1
    :: else
    fi
}

/* platform_tree_signal(KILL): what is below keeper and supervisor. */
inline kill_below(i, except)
{
    for (k : 1 .. PROCESSES) {
        if
        :: k != except &&
                (process[k].parent == KEEPER(i) || process[k].parent == SUPERVISOR(i)) ->
            if
            :: EXISTS(k) -> end_process(k, ZOMBIE)
            :: else
            fi;
            end_rest(k)
        :: else
        fi
    };
    k = 0
}

#if PROCESSES == 2
#define OTHER_BELOW(i, p) (p != 1 && EXISTS(1) && IS_BELOW(i, 1) || \
        p != 2 && EXISTS(2) && IS_BELOW(i, 2))
#else
#define OTHER_BELOW(i, p) (p != 1 && EXISTS(1) && IS_BELOW(i, 1) || \
        p != 2 && EXISTS(2) && IS_BELOW(i, 2) || p != 3 && EXISTS(3) && IS_BELOW(i, 3))
#endif
#define IS_BELOW(i, p) (process[p].parent == KEEPER(i) || process[p].parent == SUPERVISOR(i))

/* look_at_tree(): descendants, and whatever carries the instance id. */
#ifdef FAULT_BESIDE_THE_TREE
#define TREE_IS_EMPTY(i) true
#else
#define TREE_IS_EMPTY(i) \
    (!process[sup[i].process].left && !OTHER_BELOW(i, sup[i].process))
#endif

/* never_executed(): its supervisor died before it had opened the barrier. */
#ifdef FAULT_NO_LOOK_FOR_ID
#define HAS_LEFT_NOTHING(p) true
#else
#define HAS_LEFT_NOTHING(p) (!process[p].left)
#endif
#define NEVER_EXECUTED(i) (record.phase == STARTING && !record.main_ended && \
        HAS_LEFT_NOTHING(record.process) && \
        (keeper[i].recorded[record.process] && IS_ZOMBIE(record.process) \
                -> process[record.process].state == ZOMBIE_127 : !IS_SAME(record.process)))

/* How the end of the main process comes to be known: as our own child's, by the keeper's word
 * (about recorded ones only), or by watching it. */
#define IS_TOLD_OF_END(i) ( \
        sup[i].parent == OF_OURS -> IS_ZOMBIE(sup[i].process) : \
        (sup[i].parent == OF_KEEPER \
            -> keeper[i].recorded[sup[i].process] && IS_ZOMBIE(sup[i].process) \
            : !IS_SAME(sup[i].process)))

inline recall(i) /* the machine and the generation out of the record */
{
    sup[i].activity = record.activity;
    sup[i].phase = record.phase;
    sup[i].process = record.process;
    sup[i].main_ended = record.main_ended;
    sup[i].asked = record.asked;
    sup[i].want_down = record.want_down;
    sup[i].first = record.first;
    sup[i].guarded_once = record.guarded_once;
    sup[i].may_record = 1;
    sup[i].answers = 1
}

inline clear_slot(i)
{
    sup[i].phase = PHASE_NONE;
    sup[i].process = NONE;
    sup[i].main_ended = 0;
    sup[i].asked = 0;
    sup[i].parent = OF_OURS
}

/* adoption_revive(): under the same keeper. */
inline adoption_revive(i)
{
    if
    :: NEVER_EXECUTED(i) ->
        which = record.process; link_reap(i, which); /* spawn_again() */
        recall(i);
        clear_slot(i);
        sup[i].activity = GUARDS
    :: else ->
        recall(i);
        if /* parent_of() */
        :: sup[i].phase == PHASE_NONE
        :: sup[i].phase != PHASE_NONE && (sup[i].main_ended ||
                process[sup[i].process].parent == KEEPER(i) &&
                process[sup[i].process].state != FREE) ->
            sup[i].parent = OF_KEEPER;
            if
            :: sup[i].main_ended && process[sup[i].process].state != FREE ->
                sup[i].unreaped = sup[i].process
            :: else
            fi
        :: else ->
            sup[i].parent = OF_NOBODY;
            which = sup[i].process; link_reap(i, which)
        fi
    fi
}

/* link_decided(): when this supervisor ends, the keeper ends too. */
inline link_decided(i)
{
    if
    :: keeper[i].alive -> keeper[i].decided = 1
    :: else
    fi
}

/* ---- The supervisor -------------------------------------------------------------------------- */

proctype supervisor(byte i)
{
dead:
end_dead:
    if
    :: sup[i].life == ALIVE
    :: atomic { sup[i].life == KILLED -> sup[i].life = DEAD; goto dead }
    fi;
    {
        /* start_supervisor(): the keeper hands back what it holds. */
        d_step {
            sup[i].lock = keeper[i].lock;
            sup[i].socket = keeper[i].socket
        };
        if
        :: sup[i].lock -> goto go_on
        :: else -> goto take_lock
        fi;

go_on:
        atomic {
            if
#ifdef FAULT_ANY_RECORD
            :: record.activity == UNREADABLE ->
#else
            :: record.activity == UNREADABLE || record.keeper != i + 1 ->
#endif
                /* end_everything(): what cannot be taken up must not run beside what comes. */
                d_step {
                    kill_below(i, NONE);
                    sup[i].socket = 0;
                    keeper[i].socket = 0
                };
                goto begin
            :: else -> d_step { adoption_revive(i) }
            fi
        };
        write_record(i);
        if
        :: sup[i].activity == MACHINE_RUNS -> goto loop
        :: sup[i].activity == GUARDS || sup[i].activity == WAITS -> goto guard
        :: sup[i].activity == GAVE_UP -> goto gave_up
        :: sup[i].activity == STANDS_BY ->
#ifdef FAULT_STANDBY_SLEEPS
            false;
#else
            goto stands_by
#endif
        :: sup[i].activity == DONE -> false /* nothing wakes it */
        fi;

take_lock:
        if
        :: atomic { LOCK_IS_FREE -> sup[i].lock = 1; check_lock() }
#ifdef FAULT_WITHOUT_LOCK
        :: !LOCK_IS_FREE -> skip /* goes on as if it had it */
#endif
        :: sup[1 - i].answers -> goto decided_without_lock /* already running */
        :: !LOCK_IS_FREE && !calm -> goto decided_without_lock /* no answer in time */
        fi;

begin:
        /* hold_lock() */
        atomic {
            if
            :: keeper[i].alive -> keeper[i].lock = sup[i].lock
            :: else
            fi;
            check_lock()
        };
        d_step {
            sup[i].answers = 1;
            sup[i].activity = GUARDS;
            sup[i].first = BY_HAND(i)
        };

guard:
        if
        :: sup[i].guarded_once -> goto sockets
        :: else -> goto look_at_record
        fi;

look_at_record:
        /* last_run_fact() */
        atomic {
            if
            :: record.activity == UNREADABLE || record.phase == PHASE_NONE -> goto sockets
            :: record.activity != UNREADABLE && record.phase != PHASE_NONE &&
                    IS_SAME(record.process) ->
                goto adopt
            :: record.activity != UNREADABLE && record.phase != PHASE_NONE &&
                    !IS_SAME(record.process) && process[record.process].left ->
                d_step { which = record.process; end_rest(which) }; /* last_run_clear() */
                goto sockets
            :: else -> goto sockets
            fi
        };

adopt:
        /* adoption_adopt(): keeper and supervisor had died. */
        atomic {
            d_step {
                recall(i);
                sup[i].activity = MACHINE_RUNS;
                sup[i].guarded_once = 1;
                sup[i].want_down = 0;
                sup[i].first = 0;
                sup[i].parent = OF_NOBODY
            };
            if /* rescue_listeners(), where the system permits it */
            :: HOLDS_SOCKET(sup[i].process) -> sup[i].socket = 1
            :: skip
            fi;
            d_step {
                if
                :: sup[i].phase == STOPPING || sup[i].phase == KILLING -> /* FINISH_STOP */
                    sup[i].phase = STOPPING;
                    sup[i].asked = 1;
                    which = sup[i].process;
                    signal_process(which)
                :: else
                fi
            }
        };
        write_record(i);
        if
        :: d_step { keeper[i].alive -> keeper[i].socket = sup[i].socket }
        :: !keeper[i].alive
        fi;
        goto loop;

sockets:
        if
        :: sup[i].stop_asked -> goto stopped
        :: sup[i].socket -> goto allowed
        :: else
        fi;
        write_record(i); /* settle(), since the answers come later */
        publish_reap(i);
        /* The probe.  What it finds may be different when it comes to the bind. */
        if
        :: ADDRESS_ANSWERS -> goto refused_or_waits
        :: !ADDRESS_ANSWERS
        fi;
#ifdef FAULT_NO_BIND
        goto allowed;
#endif
bind:
        if
        :: atomic { PORT_IS_FREE -> sup[i].socket = 1 }
        :: sup[i].stop_asked -> goto stopped
        :: ADDRESS_ANSWERS -> goto refused_or_waits
        :: !PORT_IS_FREE && !calm -> goto refused_or_waits /* bind_timeout */
        fi;

allowed:
        atomic { /* guard_allows(), machine_spawn() */
            sup[i].may_record = 1;
            sup[i].guarded_once = 1;
            sup[i].activity = MACHINE_RUNS;
            sup[i].phase = STARTING
        };
        /* instance_spawn(): fork, tell the keeper, write the record, open the barrier. */
        atomic {
            IN_USE < PROCESSES;
            d_step {
                k = 1;
                do
                :: process[k].state != FREE -> k++
                :: else -> break
                od;
                assert(stranger == AWAY || I3_no_stranger_is_touched);
                assert(sup[i].lock || I1_one_holder_of_the_lock);
                process[k].state = FORKED;
                process[k].parent = SUPERVISOR(i);
                sup[i].process = k;
                sup[i].parent = OF_OURS;
                sup[i].main_ended = 0;
                sup[i].asked = 0
            }
        };
#ifdef FAULT_EARLY_BARRIER
        process[sup[i].process].go = 1;
#endif
#ifndef FAULT_LATE_WORD
        tell_keeper(i);
#endif
        write_record(i);
#ifdef FAULT_LATE_WORD
        tell_keeper(i);
#endif
        d_step { /* platform_spawn_release(); it may have been killed before */
            if
            :: EXISTS(sup[i].process) -> process[sup[i].process].go = 1
            :: else
            fi
        };
        publish_reap(i);

loop:
        do
        :: d_step { /* readiness */
                sup[i].phase == STARTING && process[sup[i].process].state == RUNS ->
                sup[i].phase = READY;
                sup[i].first = 0
            };
            write_record(i)
        :: d_step { /* machine: ask_stop() */
                sup[i].stop_asked && (sup[i].phase == STARTING || sup[i].phase == READY) ->
                sup[i].stop_asked = 0;
                sup[i].want_down = 1;
                sup[i].asked = 1;
                sup[i].phase = STOPPING;
                which = sup[i].process; signal_process(which)
            };
            write_record(i)
        :: d_step { /* it goes already */
                sup[i].stop_asked && (sup[i].phase == STOPPING || sup[i].phase == KILLING) ->
                sup[i].stop_asked = 0;
                sup[i].want_down = 1;
                sup[i].asked = 1
            };
            write_record(i)
        :: d_step { /* instance_ended() */
                !sup[i].main_ended && IS_TOLD_OF_END(i) ->
                sup[i].main_ended = 1;
                sup[i].phase = KILLING;
                if
                :: sup[i].parent != OF_NOBODY -> sup[i].unreaped = sup[i].process
                :: else
                fi
            };
            if
            :: TREE_IS_EMPTY(i) /* in the same turn of the loop: nothing is written before */
            :: !TREE_IS_EMPTY(i) ->
                write_record(i);
                publish_reap(i)
            fi
        :: d_step {
                sup[i].main_ended && !TREE_IS_EMPTY(i) ->
                which = sup[i].process; end_rest(which);
                kill_below(i, sup[i].process)
            }
        :: sup[i].main_ended && TREE_IS_EMPTY(i) -> break
        od;

        /* current_is_gone() */
        atomic {
            if
            :: sup[i].want_down -> clear_slot(i); goto decided
            :: !sup[i].want_down && sup[i].asked -> clear_slot(i); sup[i].activity = GUARDS
            :: !sup[i].want_down && !sup[i].asked && sup[i].first -> clear_slot(i); goto decided
            :: !sup[i].want_down && !sup[i].asked && !sup[i].first ->
                clear_slot(i);
                if /* the policy, and how long it had been ready */
                :: sup[i].activity = GUARDS
                :: sup[i].activity = WAITS
                :: !calm -> sup[i].activity = GAVE_UP
                :: !calm -> goto decided
                fi
            fi
        };
        if
        :: sup[i].activity == GUARDS -> goto guard
        :: sup[i].activity == WAITS ->
            write_record(i);
            publish_reap(i);
            goto guard
        :: sup[i].activity == GAVE_UP
        fi;

gave_up:
        sup[i].socket = 0;
        write_record(i);
        publish_reap(i);
        d_step {
            if
            :: keeper[i].alive -> keeper[i].socket = 0
            :: else
            fi
        };
        if
        :: sup[i].stop_asked -> goto stopped
        :: sup[i].activity = GUARDS; /* asked to start */
            if
            :: !calm AGAIN(progress_asked)
            :: calm
            fi;
            goto guard
        fi;

refused_or_waits:
        atomic {
            sup[i].socket = 0;
            if
            :: STANDBY(i) -> sup[i].activity = STANDS_BY; goto stands_by
            :: !STANDBY(i) && sup[i].guarded_once && !sup[i].first ->
                sup[i].activity = GAVE_UP;
                goto gave_up
            :: else -> goto decided
            fi
        };

stands_by:
        write_record(i);
        publish_reap(i);
        if
        :: sup[i].stop_asked -> goto stopped
        :: PORT_IS_FREE -> sup[i].activity = GUARDS; goto guard
        fi;

stopped: /* a stop while nothing runs */
        atomic { sup[i].stop_asked = 0; sup[i].want_down = 1 };

decided:
        /* settle(): the keeper knows before the record says so. */
        atomic {
            sup[i].activity = DONE;
            sup[i].socket = 0;
#ifndef FAULT_LATE_DECISION
            link_decided(i)
#endif
        };
        write_record(i);
        d_step {
            if
            :: keeper[i].alive -> keeper[i].socket = 0
            :: else
            fi
        };
        publish_reap(i);
decided_without_lock:
        atomic { link_decided(i) };
        d_step { end_supervisor(i, DEAD) };
        goto dead
    } unless { d_step { sup[i].life == KILLED -> sup[i].life = DEAD } };
    goto dead
}

inline launch(i)
{
    keeper[i].alive = 1;
    sup[i].life = ALIVE
}

/* ---- The keeper ------------------------------------------------------------------------------ */

/* on_exit_of(): a zombie that is not recorded is reaped at once; one that is waits for a supervisor,
 * and one that knows nothing of it says so (events_on_keeper_message()). */
#define HAS_WORK_WITH(i, p) (keeper[i].alive && process[p].parent == KEEPER(i) && IS_ZOMBIE(p) && \
        (!keeper[i].recorded[p] || \
                sup[i].answers && sup[i].process != p && sup[i].unreaped != p))

proctype keeper_run(byte i)
{
end_keeper_run:
    do
    :: d_step { keeper[i].alive && sup[i].life == DEAD && !keeper[i].decided ->
            sup[i].life = ALIVE /* start_supervisor() */
        }
    :: d_step { keeper[i].alive && sup[i].life == DEAD && keeper[i].decided -> end_keeper(i) }
    :: d_step { HAS_WORK_WITH(i, 1) -> link_reap(i, 1) }
    :: d_step { HAS_WORK_WITH(i, 2) -> link_reap(i, 2) }
#if PROCESSES == 3
    :: d_step { HAS_WORK_WITH(i, 3) -> link_reap(i, 3) }
#endif
    od
}

/* ---- The rest of the world ------------------------------------------------------------------- */

proctype instance(byte p)
{
end_instance:
    do
    :: d_step { process[p].state == FORKED -> process[p].state = AT_BARRIER }
    :: d_step { /* child_main() */
            process[p].state == AT_BARRIER && process[p].go ->
            assert(!SOME_RUNS && !SOME_LEFT || I2_one_instance);
            assert(record.activity != UNREADABLE && record.process == p || I7_recorded);
            process[p].state = RUNS
        }
    :: d_step { /* end of file: its supervisor is dead */
            process[p].state == AT_BARRIER && !process[p].go &&
                    process[p].parent != SUPERVISOR(0) && process[p].parent != SUPERVISOR(1) ->
            end_process(p, ZOMBIE_127)
        }
    :: d_step { process[p].state == RUNS && process[p].term -> end_process(p, ZOMBIE) }
    :: d_step { process[p].state == RUNS && process[p].term && !calm ->
            process[p].left = 1;
            end_process(p, ZOMBIE)
        }
    :: d_step { process[p].left && !calm -> end_rest(p) }
    :: d_step { EXISTS(p) && crashes > 0 && !calm -> crashes--; end_process(p, ZOMBIE) }
    :: d_step { process[p].state == RUNS && crashes > 0 && !calm ->
            crashes--;
            process[p].left = 1;
            end_process(p, ZOMBIE)
        }
    od
}

/* Who starts and stops the service, and who kills. */
proctype somebody(byte i)
{
end_somebody:
    do
    :: d_step { !calm && IS_IDLE(i) -> launch(i) } AGAIN(progress_launch)
    :: d_step {
            !calm && sup[i].answers && !sup[i].stop_asked -> sup[i].stop_asked = 1
        } AGAIN(progress_stop)
    :: d_step { !calm && sup[i].life == ALIVE && crashes > 0 ->
            crashes--;
            end_supervisor(i, KILLED)
        }
    :: d_step { !calm && keeper[i].alive && crashes > 0 -> crashes--; end_keeper(i) }
    :: d_step { /* the start that has to succeed: begin() and finish() */
            calm && final_starts > 0 && IS_IDLE(i) && LOCK_IS_FREE ->
            final_starts--;
            launch(i)
        }
    od
}

proctype a_stranger()
{
end_stranger:
    do
    :: d_step { !calm && PORT_IS_FREE -> stranger = SILENT } AGAIN(progress_stranger)
    :: d_step { stranger == SILENT -> stranger = ANSWERS }
    :: stranger != AWAY -> stranger = AWAY
    :: d_step { !calm -> crashes = 0; stranger = AWAY; calm = 1 }
    od
}

/* When nothing moves any more, which is in the calm only: one instance is ready, under one
 * supervisor, which has the lock; the record names it; nothing else is left of anything. */
#define SERVES(i) (sup[i].life == ALIVE && sup[i].lock && sup[i].activity == MACHINE_RUNS && \
        sup[i].phase == READY && process[sup[i].process].state == RUNS && \
        record.process == sup[i].process && record.phase == READY && IS_IDLE(1 - i))

proctype judge()
{
    timeout;
    assert((IN_USE == 1 && (SERVES(0) || SERVES(1))) || I7_one_is_ready)
}

init {
    atomic {
        run supervisor(0);
        run supervisor(1);
        run keeper_run(0);
        run keeper_run(1);
        run instance(1);
        run instance(2);
#if PROCESSES == 3
        run instance(3);
#endif
#ifndef ALONE
        run somebody(0); /* without, there is one launch only, which leaves room for more kills */
#endif
        run somebody(1);
        run a_stranger();
        run judge()
    }
}
