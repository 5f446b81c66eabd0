//! Byte ranges (RFC 9110 §14): one range, as wget, GRUB and UEFI ask. Pure.

/// What part of a file of known size is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it: no range, or one that is to be ignored.
    Whole,
    /// `first..=last`.
    Bytes(u64, u64),
    /// Outside the file: 416.
    Unsatisfiable,
}

/// Reads a `Range` header for a file of `size` bytes. Several ranges, other units and
/// nonsense count as no range, as the RFC allows.
pub fn part(header: Option<&str>, size: u64) -> Part {
    let Some(range) = header.and_then(|header| header.trim().strip_prefix("bytes=")) else {
        return Part::Whole;
    };
    let Some((first, last)) = range.split_once('-') else {
        return Part::Whole;
    };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    match (number(first), number(last)) {
        (Some(first), _) if first >= size && (last.is_empty() || number(last).is_some()) => {
            Part::Unsatisfiable
        }
        (Some(first), None) if last.is_empty() => Part::Bytes(first, size - 1),
        (Some(first), Some(last)) if first <= last => Part::Bytes(first, last.min(size - 1)),
        (None, Some(0)) if first.is_empty() => Part::Unsatisfiable,
        (None, Some(count)) if first.is_empty() && size > 0 => {
            Part::Bytes(size.saturating_sub(count), size - 1)
        }
        _ => Part::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_understood_in_all_three_forms() {
        for (header, expected) in [
            ("bytes=0-0", Part::Bytes(0, 0)),
            ("bytes=10-", Part::Bytes(10, 99)),
            ("bytes=10-19", Part::Bytes(10, 19)),
            ("bytes=90-200", Part::Bytes(90, 99)),
            ("bytes=-10", Part::Bytes(90, 99)),
            ("bytes=-1000", Part::Bytes(0, 99)),
            ("bytes=100-", Part::Unsatisfiable),
            ("bytes=99999999999999999999-", Part::Unsatisfiable),
            ("bytes=-0", Part::Unsatisfiable),
        ] {
            assert_eq!(part(Some(header), 100), expected, "{header}");
        }
    }

    #[test]
    fn nonsense_is_no_range() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=9-3",
            "lines=1-2",
            "bytes=1-2,4-5",
            "bytes=+1-2",
            "bytes=1-x",
        ] {
            assert_eq!(part(Some(header), 100), Part::Whole, "{header}");
        }
        assert_eq!(part(None, 100), Part::Whole);
    }

    #[test]
    fn an_empty_file_has_no_bytes_to_ask_for() {
        assert_eq!(part(Some("bytes=0-"), 0), Part::Unsatisfiable);
        assert_eq!(part(Some("bytes=-5"), 0), Part::Whole);
    }
}
