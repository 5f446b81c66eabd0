//! Reading `pxeberry.toml`, whatever editor wrote it.

use std::fs::File as FsFile;
use std::io::{self, Read};
use std::path::Path;

use super::nearest::nearest_key;
use super::{Config, ConfigError, wire};

/// No configuration comes near this; more is a mistake, or meant to fill the memory.
const LARGEST_FILE: u64 = 64 * 1024;

/// Reads and checks the file at `path`.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let read_error = |source| ConfigError::Read { source };
    let file = FsFile::open(path).map_err(read_error)?;
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(read_error)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(ConfigError::TooLarge);
    }
    parse(&text(bytes).map_err(read_error)?)
}

/// Checks the text of a configuration. The empty text is the default configuration.
pub fn parse(text: &str) -> Result<Config, ConfigError> {
    let file: wire::File = toml::from_str(text).map_err(|error| syntax_error(text, &error))?;
    Config::try_from(file)
}

/// UTF-8 with or without a byte-order mark, or the UTF-16 that Notepad calls "Unicode".
fn text(bytes: Vec<u8>) -> io::Result<String> {
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, "not a text file; save it as UTF-8");
    let utf16 = |from_pair: fn([u8; 2]) -> u16, bytes: &[u8]| {
        let units: Vec<u16> =
            bytes.as_chunks::<2>().0.iter().map(|pair| from_pair(*pair)).collect();
        String::from_utf16(&units).map_err(|_| wrong())
    };
    match bytes.as_slice() {
        [0xff, 0xfe, rest @ ..] => utf16(u16::from_le_bytes, rest),
        [0xfe, 0xff, rest @ ..] => utf16(u16::from_be_bytes, rest),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8(rest.to_vec()).map_err(|_| wrong()),
        _ => String::from_utf8(bytes).map_err(|_| wrong()),
    }
}

fn syntax_error(text: &str, error: &toml::de::Error) -> ConfigError {
    let line = error
        .span()
        .and_then(|span| text.get(..span.start))
        .map(|before| before.matches('\n').count() + 1);
    let mut message = without_value(error.message().trim()).replace('\n', "; ");
    if let Some(hint) = nearest_key(&message) {
        message = format!("{message} (did you mean `{hint}`?)");
    }
    ConfigError::Syntax { line, message }
}

/// "invalid type: integer, expected a string": what stands there may be a password, and the
/// page shows this to everybody.
fn without_value(message: &str) -> String {
    match message.rsplit_once(", expected ") {
        Some((got, wanted)) if message.starts_with("invalid ") => {
            let kind = got.split(['`', '"']).next().unwrap_or_default();
            format!("{}, expected {wanted}", kind.trim_end())
        }
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::*;

    fn message(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn an_empty_file_is_the_default_configuration() {
        let config = parse("").unwrap();
        assert_eq!(config.mode, Mode::Auto);
        assert_eq!(config.server.local.subnet.to_string(), "10.10.10.1/24");
        assert_eq!(config.server.local.pool.to_string(), "10.10.10.100-10.10.10.250");
        assert_eq!(config.http.ports, [8080, 80]);
        assert_eq!((config.page.mdns, config.page.name.as_str()), (true, "pxeberry"));
        assert_eq!(config.boot.unknown, Unknown::Local);
        assert_eq!(config.boot.uefi_loader, UefiLoader::Ipxe);
        assert_eq!(config.server.lease.as_secs(), 12 * 60 * 60);
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_right_one() {
        let message = message("interface = \"eth0\"\n[server]\nadress = \"10.0.0.1/24\"\n");
        assert!(message.starts_with("line 3: unknown field `adress`"), "{message}");
        assert!(message.ends_with("(did you mean `address`?)"), "{message}");
    }

    #[test]
    fn values_that_cannot_work_are_refused_with_their_key() {
        for (text, key) in [
            ("[server]\naddress = \"10.10.10.0/24\"", "server.address: "),
            ("[server]\npool = \"10.10.11.1-10.10.11.9\"", "server.pool: "),
            ("[server]\nrouter = \"192.168.1.1\"", "server.router: "),
            ("[server]\nlease = \"5m\"", "server.lease: "),
            ("[server]\nlease = \"99999999999999999999h\"", "server.lease: "),
            ("relay = [{ address = \"10.20.0.0/24\" }]", "relay.address: "),
            ("relay = [{ address = \"10.10.10.9/24\" }]", "relay.address: "),
            ("relay = [{ address = \"10.20.0.1/24\", router = \"10.10.10.1\" }]", "relay.router: "),
            ("[http]\nports = []", "http.ports: "),
            ("[http]\nports = [80, 80]", "http.ports: "),
            ("page.name = \"pxe.local\"", "page.name: "),
            ("page.name = \"-a\"", "page.name: "),
            ("page.name = \"\"", "page.name: "),
            ("[panel]\nbutton = 9", "panel: "),
            ("[panel]\nbutton = 40", "panel: "),
            ("interface = \"a/b\"", "interface: "),
            ("admin.password = \"short\"", "admin.password: "),
            ("admin.password_hash = \"$1$abc\"", "admin.password_hash: "),
            ("[admin]\npassword = \"long enough\"\npassword_hash = \"x\"", "admin: "),
            ("admin.hosts = [\"a b\"]", "admin.hosts: "),
        ] {
            let message = message(text);
            assert!(message.starts_with(key), "{text}: {message}");
        }
    }

    #[test]
    fn a_password_in_clear_is_noted_as_such_and_never_printed() {
        let config = parse("admin.password = \"correct horse\"").unwrap();
        assert!(config.admin.in_clear);
        assert!(!format!("{config:?}").contains("horse"), "{config:?}");
        assert_eq!(parse("admin.password = \"\"").unwrap().admin, Admin::default());
    }

    #[test]
    fn a_hash_that_would_take_all_memory_or_a_minute_is_refused() {
        let hash = |cost: &str| {
            format!(
                "admin.password_hash = \"$argon2id$v=19${cost}$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAA\""
            )
        };
        assert!(!parse(&hash("m=12288,t=3,p=1")).unwrap().admin.in_clear);
        for cost in ["m=4194304,t=3,p=1", "m=12288,t=1000,p=1", "m=12288,t=3,p=4"] {
            let message = message(&hash(cost));
            assert!(message.contains("takes too long"), "{cost}: {message}");
        }
    }

    #[test]
    fn what_windows_editors_do_to_a_file_is_accepted() {
        let plain = "mode = \"server\"\r\n[http]\r\nports = [8080]\r\n";
        let with_mark = [b"\xef\xbb\xbf", plain.as_bytes()].concat();
        let utf16: Vec<u8> = std::iter::once(0xfeff)
            .chain(plain.encode_utf16())
            .flat_map(u16::to_le_bytes)
            .collect();
        for bytes in [plain.as_bytes().to_vec(), with_mark, utf16] {
            let config = parse(&text(bytes).unwrap()).unwrap();
            assert_eq!(config.mode, Mode::Server);
        }
    }

    #[test]
    fn a_file_that_is_no_text_is_refused_in_words() {
        let error = text(vec![0x80, 0x81]).unwrap_err();
        assert!(error.to_string().contains("save it as UTF-8"));
    }

    #[test]
    fn no_message_repeats_a_password() {
        for text in ["[admin]\npassword = 20240101", "admin = \"20240101\""] {
            let said = message(text);
            assert!(said.contains("invalid type") && !said.contains("20240101"), "{said}");
        }
    }
}
