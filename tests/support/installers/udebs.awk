# Of a Packages file, what an installer with this `kernel` takes by itself: the udebs of
# standard priority and more, what partman asks for when it starts, and all that they depend
# on, but for those that its initrd holds, whose status file comes first. For each of them
# three lines: where it is below `from`, where it goes below `to`, and its checksum.

BEGIN {
    count = words(partman, asked)
    for (at = 1; at <= count; at++) take(asked[at])
}

{
    read_fields(field)
    if (FILENAME ~ /status$/) {
        seen[field["Package"]] = 1
        next
    }
    if ("Kernel-Version" in field && field["Kernel-Version"] != kernel) next
    name = field["Package"]
    file[name] = field["Filename"]
    sum[name] = field["SHA256"]
    depends[name] = field["Depends"]
    count = words(field["Provides"], provided)
    for (at = 1; at <= count; at++) providers[provided[at]] = providers[provided[at]] " " name
    if (field["Priority"] ~ /^(required|important|standard)$/) take(name)
}

END {
    for (next_one = 1; next_one <= taken; next_one++) {
        count = words(depends[queue[next_one]], needed)
        for (at = 1; at <= count; at++) {
            take(needed[at])
            number = split(providers[needed[at]], able, " ")
            for (one = 1; one <= number; one++) take(able[one])
        }
    }
    for (at = 1; at <= taken; at++) {
        name = queue[at]
        if (name in file) printf "%s%s\n%s%s\nSHA256:%s\n", from, file[name], to, file[name], sum[name]
    }
}

function take(name) {
    if (!(name in seen)) queue[++taken] = name
    seen[name] = 1
}
