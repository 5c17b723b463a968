#!/usr/bin/env bash
# Checks tests/spin/guard.pml with spin: the model itself, which must hold, and the same with faults
# put in, each of which must break the property that it is about.  docs/MODEL.md tells the story.
#
# usage: spin.sh [CRASHES]     how many processes may be killed; 2 when not given
set -uo pipefail
cd "$(dirname "$0")/.."

model="$PWD/tests/spin/guard.pml"
story=docs/MODEL.md
crashes=${1:-2}
depth=200000
memory_mb=${SVCMGR_SPIN_MEMORY:-1000}
failed=0

fail() { printf 'spin: %s\n' "$*"; failed=1; }

# search NAME CRASHES SPIN-OPTIONS COMPILER-OPTIONS PAN-OPTIONS, each one word or several
search() {
    local folder="build/spin/$1"
    rm -rf "$folder"
    mkdir -p "$folder"
    (
        cd "$folder" || exit 1
        # shellcheck disable=SC2086
        spin -a -DCRASHES="$2" $3 "$model" > spin.log 2>&1 &&
            gcc -w -DCOLLAPSE -DVECTORSZ=512 -DMEMLIM="$memory_mb" $4 -o pan pan.c \
                > gcc.log 2>&1 &&
            ./pan -E -m"$depth" $5 > pan.log 2>&1
    )
    [ -s "$folder/pan.log" ] || { cat "$folder"/*.log; fail "$1: it cannot be built"; return 1; }
}

number() { sed -nE "s/^ *([0-9.e+]+) states, stored.*/\1/p" "$1" | head -n 1; }

# A search that has to find nothing, and to look everywhere.
holds() {
    local log="build/spin/$1/pan.log"
    search "$@" || return
    printf '%s: states explored: %s, errors: %s\n' "$1" "$(number "$log")" \
        "$(sed -nE 's/.*errors: ([0-9]+)$/\1/p' "$log" | head -n 1)"
    grep -q 'errors: 0$' "$log" || { grep '^pan:' "$log"; fail "$1: a property is broken"; }
    if grep -qE 'max search depth too small|out of memory|Search not completed|memory exceeded' \
            "$log"; then
        fail "$1: the search is not complete"
    fi
    # An assertion that is never reached checks nothing.
    if sed -n '/^unreached/,$p' "$log" | grep assert; then
        fail "$1: these are never checked"
    fi
}

# A search that has to break this property: the name is part of the assertion.
breaks() {
    local name=$1 property=$2 kills=${3:-$crashes} options=${4-}
    local log="build/spin/$name/pan.log" place
    place=$(sed -nE "s/.* $property = IS_LEFT_OUT\(([0-9])\);/\1/p" "$model")
    search "$name" "$kills" "-DFAULT_$name -DONLY=$place $options" "-DSAFETY -O0" "" || return
    if grep -q "assertion violated.*$property" "$log"; then
        printf '%s: breaks %s, as it should\n' "$name" "$property"
    else
        grep -E '^pan:|errors:' "$log"
        fail "$name: it does not break $property"
    fi
}

# Each function that the table names exists, in the file that it names.
names_exist() {
    local file function
    while read -r file function; do
        grep -qE "^[a-z][A-Za-z0-9_ *]*[ *]$function\(" "svcmgr/$file" 2> /dev/null ||
            fail "$story: there is no $function() in svcmgr/$file"
    done < <(awk -F'|' '/^\|.*\(\)/ {
        file = $3
        gsub(/[` ]/, "", file)
        count = split($4, names, ",")
        for (i = 1; i <= count; i++) {
            gsub(/[`() ]/, "", names[i])
            print file, names[i]
        }
    }' "$story")
}

# Each fault of the model is one of those below, and the other way round.
faults_are_tried() {
    diff <(grep -oE 'FAULT_[A-Z_]+' "$model" | sed 's/FAULT_//' | sort -u) \
        <(sed -nE 's/^breaks ([A-Z_]+) .*/\1/p' tests/spin.sh | sort -u) ||
        fail "not every fault of the model is tried"
}

mkdir -p build/spin
names_exist
faults_are_tried
holds safety "$crashes" "" "-DSAFETY -O2" ""
holds alone 4 "-DALONE" "-DSAFETY -O1" ""
# No cycle but those that somebody outside keeps going, and none of these in the calm.
holds liveness 1 "-DLIVENESS" "-DNP -O2" "-l"
breaks LOCK_OF_PROCESS I1_one_holder_of_the_lock
breaks WITHOUT_LOCK I1_one_holder_of_the_lock
breaks BESIDE_THE_TREE I2_one_instance
breaks NO_BIND I3_no_stranger_is_touched
breaks PID_ONLY I3_no_stranger_is_touched
breaks EARLY_BARRIER I7_recorded
breaks NO_LOOK_FOR_ID I7_recorded 3 -DALONE
breaks RECORD_IN_PLACE I7_recorded
breaks LATE_WORD I7_one_is_ready
breaks LATE_DECISION I7_one_is_ready
breaks ANY_RECORD I7_one_is_ready
breaks STANDBY_SLEEPS I7_one_is_ready
exit $failed
