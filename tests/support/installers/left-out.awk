# Of the `names` that an installer with this `kernel` takes, those that it cannot have: the
# `absent` ones, and what depends on something that nobody has, neither another of them nor
# the initrd. The initrd's status file comes first, then Packages. Those that are `whole`
# depend on nothing else.

BEGIN {
    count = words(names, list)
    for (at = 1; at <= count; at++) there[list[at]] = asked[list[at]] = 1
    count = words(whole, list)
    for (at = 1; at <= count; at++) alone[list[at]] = 1
    count = words(absent, list)
    for (at = 1; at <= count; at++) leave(list[at])
}

{
    read_fields(field)
    name = field["Package"]
    if (FILENAME ~ /status$/) there[name] = 1
    else if ("Kernel-Version" in field && field["Kernel-Version"] != kernel) next
    else depends[name] = field["Depends"]
    count = words(field["Provides"], list)
    for (at = 1; at <= count; at++) providers[list[at]] = providers[list[at]] " " name
}

END {
    do {
        before = gone
        for (name in asked) if (name in there && !(name in alone) && lacks(name)) leave(name)
    } while (gone > before)
}

function lacks(name,    count, needed, at) {
    count = split(depends[name], needed, ",")
    for (at = 1; at <= count; at++) if (!had(needed[at])) return 1
    return 0
}

# Whether one of the alternatives is there.
function had(alternatives,    count, able, at, number, by, one) {
    count = words(alternatives, able)
    for (at = 1; at <= count; at++) {
        if (able[at] in there) return 1
        number = split(providers[able[at]], by, " ")
        for (one = 1; one <= number; one++) if (by[one] in there) return 1
    }
    return 0
}

function leave(name) {
    if (name in there) print name
    delete there[name]
    gone++
}
