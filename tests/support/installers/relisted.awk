# The Packages file with the `rows` that stand in, each `name file sum size version`, without
# the `gone` ones. A version is `-` where it stays; those that are `whole` depend on nothing
# else.
# What the initrd holds, whose status file comes first, is not to be taken anew, so it is
# listed as it is there.

BEGIN {
    count = split(gone, list, " ")
    for (at = 1; at <= count; at++) left_out[list[at]] = 1
    count = split(rows, list, "\n")
    for (at = 1; at <= count; at++) {
        split(list[at], row, " ")
        file[row[1]] = row[2]
        sum[row[1]] = row[3]
        size[row[1]] = row[4]
        version[row[1]] = row[5]
    }
    count = split(whole, list, " ")
    for (at = 1; at <= count; at++) alone[list[at]] = 1
}

FILENAME ~ /status$/ {
    read_fields(field)
    held[field["Package"]] = field["Version"]
    next
}

{
    read_fields(field)
    name = field["Package"]
    if (name in left_out) next
    for (line = 1; line <= NF; line++) if (!dropped($line)) print as_listed($line)
    print ""
}

function dropped(line) {
    return name in file && line ~ /^MD5sum: / || name in alone && line ~ /^Depends: /
}

function as_listed(line) {
    if (line ~ /^Version: / && name in held) return "Version: " held[name]
    if (!(name in file)) return line
    if (line ~ /^Version: / && version[name] != "-") return "Version: " version[name]
    if (line ~ /^Filename: /) return "Filename: " file[name]
    if (line ~ /^Size: /) return "Size: " size[name]
    if (line ~ /^SHA256: /) return "SHA256: " sum[name]
    return line
}
