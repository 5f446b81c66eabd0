# What the other programs here read Debian's lists with: a record at a time, its lines as fields.

BEGIN {
    RS = ""
    FS = "\n"
}

# The record's fields by their names.
function read_fields(into,    line, at) {
    split("", into)
    for (line = 1; line <= NF; line++) {
        at = index($line, ": ")
        into[substr($line, 1, at - 1)] = substr($line, at + 2)
    }
}

# The names in a list like `a (>= 1), b | c`.
function words(list, into) {
    gsub(/\([^)]*\)/, "", list)
    gsub(/^[ ,|]+|[ ,|]+$/, "", list)
    return split(list, into, /[ ,|]+/)
}
