//! Kernel arguments out of a file that lies beside a kernel. Pure.

use crate::inventory::profile::read::is_argument;

/// The arguments in `text`: those behind `kernel` in an iPXE script, else every word of a
/// plain text. An error names what no boot script can hold.
pub fn arguments(text: &str) -> Result<Vec<String>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let words: Vec<&str> = if text.starts_with("#!ipxe") { script(text) } else { plain(text) };
    let length: usize = words.iter().map(|word| word.len() + 1).sum();
    if length > LONGEST {
        return Err(format!("more than {LONGEST} letters of arguments; no kernel takes them"));
    }
    match words.iter().find(|word| !is_argument(word)) {
        Some(word) => Err(format!(
            "{word:?} cannot stand in a boot script: plain letters, no ${{…}}, || or &&"
        )),
        None => Ok(words.into_iter().map(str::to_owned).collect()),
    }
}

/// x86 kernels take 2048 letters, with what a profile and a machine add.
const LONGEST: usize = 1024;

fn plain(text: &str) -> Vec<&str> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.flat_map(str::split_ascii_whitespace).collect()
}

/// Without the name of the kernel and of its initrd, which are ours to say, and without
/// what another server would have put in.
fn script(text: &str) -> Vec<&str> {
    let mut lines = text.lines().map(str::split_ascii_whitespace);
    let kernel = lines.find_map(|mut words| (words.next() == Some("kernel")).then_some(words));
    let words = kernel.into_iter().flatten().skip(1).take_while(|word| *word != "||");
    words.filter(|word| !word.starts_with("initrd=") && !word.contains("${")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_gives_what_stands_behind_its_kernel() {
        let text = "#!ipxe\n# Use the cmdline variable\nkernel bzImage-x86_64-linux \
                    init=/nix/store/0abc-nixos-system/init initrd=initrd-x86_64-linux \
                    loglevel=4 ${cmdline}\ninitrd initrd-x86_64-linux\nboot\n";
        assert_eq!(
            arguments(text).unwrap(),
            ["init=/nix/store/0abc-nixos-system/init", "loglevel=4"]
        );
    }

    #[test]
    fn a_plain_text_gives_its_words() {
        let text = "# for the serial console\r\nconsole=ttyS0,115200\r\nquiet  splash\n";
        assert_eq!(arguments(text).unwrap(), ["console=ttyS0,115200", "quiet", "splash"]);
        assert!(arguments("").unwrap().is_empty());
    }

    #[test]
    fn what_would_break_out_of_a_boot_script_is_refused() {
        for text in ["a || shell", "a && shell", "${net0/mac}", "a ; shell", "\u{e9}=1", "a\u{1}b"]
        {
            assert!(arguments(text).is_err(), "{text:?}");
        }
        assert!(arguments(&"a ".repeat(600)).is_err());
    }
}
