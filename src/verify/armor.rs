//! OpenPGP's text forms: armoured blocks and clearsigned texts. Pure.
//!
//! Strict where OpenPGP lets one choose: whatever is not exactly a block, and a damaged one
//! above all, is refused rather than guessed at.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What a block's first and last line call it.
pub const SIGNATURE: &str = "SIGNATURE";
/// The same for keys.
pub const PUBLIC_KEY: &str = "PUBLIC KEY BLOCK";

const SIGNED_MESSAGE: &str = "-----BEGIN PGP SIGNED MESSAGE-----";

/// Why a text is no block.
pub type Flaw = &'static str;

/// A text with the signature below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleartext {
    /// Exactly what was signed: lines that end in CR LF, without blanks before it.
    pub text: String,
    /// The signature in binary form.
    pub signature: Vec<u8>,
}

/// Whether these bytes are meant to be a text form, not the binary one.
pub fn is_text(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"-----")
}

/// Whether this is meant to be a text with its signature below.
pub fn is_cleartext(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(SIGNED_MESSAGE.as_bytes())
}

/// The content of the one block that the text is.
pub fn block(text: &str, kind: &str) -> Result<Vec<u8>, Flaw> {
    let mut lines = text.split('\n').map(trimmed).skip_while(|line| line.is_empty());
    let bytes = block_at(&mut lines, kind)?;
    match lines.all(str::is_empty) {
        true => Ok(bytes),
        false => Err("there is something behind its end"),
    }
}

/// The content of every block of this kind, whatever stands between them.
pub fn blocks(text: &str, kind: &str) -> Vec<Result<Vec<u8>, Flaw>> {
    let first = format!("-----BEGIN PGP {kind}-----");
    let mut found = Vec::new();
    let mut lines = text.split('\n').map(trimmed).peekable();
    while let Some(line) = lines.peek() {
        if *line == first {
            found.push(block_at(&mut lines, kind));
        } else {
            lines.next();
        }
    }
    found
}

/// Takes a signed text apart (RFC 9580, section 7).
pub fn cleartext(text: &str) -> Result<Cleartext, Flaw> {
    let mut lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).peekable();
    if lines.next() != Some(SIGNED_MESSAGE) {
        return Err("its first line is no begin of a signed text");
    }
    loop {
        match lines.next() {
            Some("") => break,
            Some(header) if is_hash_header(header) => {}
            _ => return Err("its header is damaged"),
        }
    }
    let mut signed: Vec<&str> = Vec::new();
    let begin = format!("-----BEGIN PGP {SIGNATURE}-----");
    while lines.peek().is_some_and(|line| *line != begin) {
        let line = lines.next().unwrap_or_default();
        let line = match line.strip_prefix("- ") {
            Some(escaped) => escaped,
            None if line.starts_with('-') => return Err("a line of its text is damaged"),
            None => line,
        };
        signed.push(line.trim_end_matches([' ', '\t', '\r']));
    }
    if lines.peek().is_none() {
        return Err("its signature is missing: it is cut off");
    }
    let mut lines = lines.map(trimmed);
    let signature = block_at(&mut lines, SIGNATURE)?;
    if !lines.all(str::is_empty) {
        return Err("there is something behind its end");
    }
    Ok(Cleartext { text: signed.join("\r\n"), signature })
}

fn is_hash_header(line: &str) -> bool {
    const NAMES: [&str; 6] = ["SHA1", "SHA224", "SHA256", "SHA384", "SHA512", "RIPEMD160"];
    let names = line.strip_prefix("Hash: ").map(|names| names.split(',').map(str::trim));
    names.is_some_and(|mut names| names.all(|name| NAMES.contains(&name)))
}

fn trimmed(line: &str) -> &str {
    line.trim_end_matches([' ', '\t', '\r'])
}

/// Reads one block, from its first line to its last.
fn block_at<'a>(lines: &mut impl Iterator<Item = &'a str>, kind: &str) -> Result<Vec<u8>, Flaw> {
    if lines.next() != Some(format!("-----BEGIN PGP {kind}-----").as_str()) {
        return Err("its first line is not the one of such a file");
    }
    // Headers like "Version: GnuPG v2" say nothing that matters.
    loop {
        match lines.next() {
            Some("") => break,
            Some(header) if header.contains(": ") => {}
            _ => return Err("its header is damaged"),
        }
    }
    let end = format!("-----END PGP {kind}-----");
    let mut digits = String::new();
    let mut sum = None;
    loop {
        match lines.next() {
            None => return Err("its end is missing: it is cut off"),
            Some(line) if line == end => break,
            Some(_) if sum.is_some() => return Err("there is something behind its checksum"),
            Some(line) => match line.strip_prefix('=') {
                Some(digits) => sum = Some(digits),
                None => digits.push_str(line),
            },
        }
    }
    let bytes = STANDARD.decode(digits).map_err(|_| "its letters are damaged")?;
    if let Some(sum) = sum {
        let wanted = STANDARD.decode(sum).map_err(|_| "its checksum is damaged")?;
        let [_, have @ ..] = crc24(&bytes).to_be_bytes();
        if wanted != have {
            return Err("it does not match its own checksum");
        }
    }
    Ok(bytes)
}

/// RFC 9580, section 6.1.1.
fn crc24(bytes: &[u8]) -> u32 {
    let mut crc = 0x00b7_04ce_u32;
    for byte in bytes {
        crc ^= u32::from(*byte) << 16;
        for _ in 0..8 {
            crc <<= 1;
            if crc & 0x0100_0000 != 0 {
                crc ^= 0x0186_4cfb;
            }
        }
    }
    crc & 0x00ff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "-----BEGIN PGP SIGNATURE-----\nVersion: x\n\naGVsbG8K\n=ApYI\n-----END PGP SIGNATURE-----\n";

    fn right_sum() -> String {
        let [_, sum @ ..] = crc24(b"hello\n").to_be_bytes();
        BLOCK.replace("ApYI", &STANDARD.encode(sum))
    }

    #[test]
    fn a_block_is_its_content_with_any_line_ends() {
        for text in
            [right_sum(), right_sum().replace('\n', "\r\n"), right_sum().replace("\n=", "  \n=")]
        {
            assert_eq!(block(&text, SIGNATURE).unwrap(), b"hello\n", "{text:?}");
        }
        // RFC 9580 does without a checksum.
        let without: Vec<&str> = BLOCK.lines().filter(|line| !line.starts_with('=')).collect();
        assert_eq!(block(&without.join("\n"), SIGNATURE).unwrap(), b"hello\n");
    }

    #[test]
    fn the_checksum_is_that_of_rfc_9580() {
        // The check value of CRC-24/OPENPGP in every catalogue.
        assert_eq!(crc24(b"123456789"), 0x0021_cf02);
    }

    #[test]
    fn what_is_not_exactly_a_block_is_refused() {
        for text in [
            BLOCK.to_owned(),
            right_sum().replace("aGV", "aG="),
            right_sum().replace("END", "EMD"),
            right_sum().replace("BEGIN", "BEGUN"),
            right_sum() + "x",
            right_sum().replace("\n\n", "\nx\n"),
            right_sum().replace("aGVsbG8K", "aGVsbG8"),
            String::new(),
        ] {
            assert!(block(&text, SIGNATURE).is_err(), "{text:?}");
        }
        let cut = right_sum();
        for length in 0..cut.trim_end().len() {
            assert!(block(&cut[..length], SIGNATURE).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn of_several_blocks_a_damaged_one_hides_no_other() {
        let file = format!("a comment\n{0}\nmore\n{1}{0}", right_sum(), BLOCK);
        let found = blocks(&file, SIGNATURE);
        let good: Vec<bool> = found.iter().map(Result::is_ok).collect();
        assert_eq!(good, [true, false, true]);
        assert_eq!(blocks(&file, PUBLIC_KEY), []);
    }

    #[test]
    fn a_signed_text_is_what_was_signed_and_no_more() {
        let file = |text: &str| {
            format!("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{text}\n{}", right_sum())
        };
        let signed = |text: &str| cleartext(&file(text)).map(|found| found.text);
        assert_eq!(signed("a  \nb").unwrap(), "a\r\nb");
        assert_eq!(signed("- -dash\nb\n").unwrap(), "-dash\r\nb\r\n");
        assert!(signed("-----BEGIN PGP SIGNED MESSAGE-----\nx").is_err());
        assert!(cleartext(&format!("before\n{}", file("a"))).is_err());
        assert!(cleartext(&format!("{}after\n", file("a"))).is_err());
        assert!(cleartext(&file("a").replace("Hash: SHA256", "Hash: SHA257")).is_err());
        assert!(cleartext("-----BEGIN PGP SIGNED MESSAGE-----\n\na\n").is_err());
    }
}
