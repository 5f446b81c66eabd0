//! GRUB's `grub.cfg`, written for the machine that asks: for UEFI with Secure Boot on, where
//! firmware starts shim, shim starts Debian's GRUB, and that starts what Debian has signed.
//!
//! Whatever comes from a stick goes through [`quoted`], so nothing in it is GRUB's language.

use super::Endpoint;
use super::plan::{Installation, Plan};
use crate::net::Mac;

/// The configuration file for the machine with `mac`; none: a machine that nobody knows.
pub fn config(mac: Option<Mac>, plan: &Plan, endpoint: Endpoint) -> String {
    match plan {
        Plan::Install(install) => installer(mac, install, endpoint),
        Plan::LocalBoot(reason) => {
            let told = quoted(&format!("pxeberry: booting your own disk ({reason})"));
            format!("{OWN_DISK}echo {told}\nown_disk\n")
        }
        Plan::Wait => format!(
            "echo 'pxeberry: starting, one moment'\n\
             while true; do\n\
             \x20 sleep {WAIT_SECONDS}\n\
             \x20 configfile {}\n\
             done\n",
            quoted(&format!("(tftp,{})/{}", endpoint.address, own_name(mac)))
        ),
        Plan::Menu => format!("{OWN_DISK}{MENU}"),
    }
}

/// How long a machine waits before it asks again.
const WAIT_SECONDS: u8 = 3;

/// The first loader on a disk that has one: a system's own, which knows where the rest of it
/// is, before the fallback path, which is all that CoreOS has. It is told that it comes from
/// GRUB's `root`, and looks for the rest there. The disk's firmware entries
/// are not to be had from here, and `exit` ends in many machines' setup screen.
const OWN_DISK: &str = "\
function own_disk {
  if [ \"$grub_cpu\" = arm64 ]; then set suffix=aa64; else set suffix=x64; fi
  for folder in debian ubuntu fedora redhat centos rocky almalinux opensuse sles Microsoft BOOT; do
    set name=shim$suffix.efi
    if [ $folder = Microsoft ]; then set name=Boot/bootmgfw.efi; fi
    if [ $folder = BOOT ]; then set name=BOOT$suffix.EFI; fi
    for disk in (hd*); do
      if [ -f $disk/EFI/$folder/$name ]; then
        echo \"pxeberry: starting $disk/EFI/$folder/$name\"
        regexp --set=1:root '^\\((.*)\\)$' $disk
        if chainloader $disk/EFI/$folder/$name; then boot; fi
      fi
    done
  done
  echo 'pxeberry: no disk here has a loader that starts'
  sleep 10
  exit
}
";

const MENU: &str = "\
set timeout=-1
menuentry 'pxeberry: the stick does not name this machine. Boot its own disk' { own_disk }
menuentry 'Firmware setup' { fwsetup }
";

/// HTTP first, which is ten times faster; older GRUBs know no port but 80, so TFTP then. A
/// failure is tried again for good: nobody sees the prompt that a GRUB gives up at.
fn installer(mac: Option<Mac>, install: &Installation, endpoint: Endpoint) -> String {
    let Installation { image, title, .. } = install;
    let mut script = format!(
        "echo {}\nwhile true; do\n",
        quoted(&format!("pxeberry: {} {title} ({image})", install.verb()))
    );
    let bootif = mac.filter(|_| !install.program).map(|mac| format!("BOOTIF=01-{}", mac.dashed()));
    let args: String = bootif
        .into_iter()
        .chain(words(&install.args))
        .map(|arg| format!(" {}", quoted(&arg)))
        .collect();
    let Endpoint { address, port, .. } = endpoint;
    for tree in [format!("(http,{address}:{port})/boot"), format!("(tftp,{address})")] {
        let file = |name: &String| quoted(&format!("{tree}/{name}"));
        let initrds: Vec<String> = install.initrds.iter().map(file).collect();
        let kernel = file(&install.kernel);
        let start = match initrds.as_slice() {
            [] => "boot".to_owned(),
            names => format!("if initrd {}; then boot; fi", names.join(" ")),
        };
        script.push_str(&format!("  if linux {kernel}{args}; then\n    {start}\n  fi\n"));
    }
    script.push_str(&format!(
        "  echo 'pxeberry: a download failed, or Secure Boot refuses the kernel; trying again'\n\
         \x20 sleep {WAIT_SECONDS}\n\
         done\n"
    ));
    script
}

/// The name under which the machine finds its configuration, wherever it asks from.
fn own_name(mac: Option<Mac>) -> String {
    let suffix = mac.map(|mac| format!("-01-{}", mac.dashed())).unwrap_or_default();
    format!("grub/grub.cfg{suffix}")
}

/// One word, whatever is in it: between single quotes GRUB looks for nothing but the next one.
/// A line's end would end an `echo` on the screen, so no control character is kept.
fn quoted(word: &str) -> String {
    let plain = word.replace(char::is_control, " ");
    format!("'{}'", plain.replace('\'', r"'\''"))
}

/// Kernel arguments one by one. GRUB puts quotation marks around one with a blank in it, and
/// would put a backslash before its own: they are taken away here, as the kernel does.
fn words(args: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut inside = false;
    for letter in args.chars() {
        match letter {
            '"' => inside = !inside,
            ' ' if !inside => words.push(String::new()),
            _ => words.iter_mut().rev().take(1).for_each(|word| word.push(letter)),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::ENDPOINT;
    use super::*;

    fn mac() -> Option<Mac> {
        Some("52:54:00:00:00:01".parse().unwrap())
    }

    fn install() -> Installation {
        Installation {
            image: "coreos/1185.3.0".into(),
            title: "CoreOS Container Linux".into(),
            kernel: "k".into(),
            initrds: vec!["i".into(), "j".into()],
            args: "console=ttyS0 dyndbg=\"file a.c +p\"".into(),
            ..Installation::default()
        }
    }

    /// What GRUB makes of a line: its words, without their quotes. Everything that is GRUB's
    /// language outside of quotes is refused.
    fn read(line: &str) -> Vec<String> {
        let (mut words, mut inside, mut letters) = (vec![String::new()], false, line.chars());
        while let Some(letter) = letters.next() {
            let word = words.last_mut().unwrap();
            match letter {
                '\'' => inside = !inside,
                _ if inside => word.push(letter),
                '\\' => word.push(letters.next().unwrap()),
                ' ' => words.push(String::new()),
                '$' | ';' | '{' | '}' | '"' | '#' | '|' | '&' | '<' | '>' => panic!("{line}"),
                _ => word.push(letter),
            }
        }
        assert!(!inside, "{line}");
        words
    }

    #[test]
    fn an_installation_names_its_files_by_http_then_by_tftp_with_its_card() {
        let text = config(mac(), &Plan::Install(install()), ENDPOINT);
        let args = "'BOOTIF=01-52-54-00-00-00-01' 'console=ttyS0' 'dyndbg=file a.c +p'";
        let expected = format!(
            "echo 'pxeberry: installing CoreOS Container Linux (coreos/1185.3.0)'
while true; do
  if linux '(http,10.10.10.1:8080)/boot/k' {args}; then
    if initrd '(http,10.10.10.1:8080)/boot/i' '(http,10.10.10.1:8080)/boot/j'; then boot; fi
  fi
  if linux '(tftp,10.10.10.1)/k' {args}; then
    if initrd '(tftp,10.10.10.1)/i' '(tftp,10.10.10.1)/j'; then boot; fi
  fi
  echo 'pxeberry: a download failed, or Secure Boot refuses the kernel; trying again'
  sleep 3
done
"
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn nothing_from_a_stick_can_break_out_of_the_script() {
        for evil in [
            "'; reboot; echo '",
            "\"; reboot; \"",
            "$prefix ${root} $(reboot)",
            "a\nreboot\n",
            "a\r\nreboot",
            "a\\",
            "a\\'; reboot",
            "}; reboot; {",
            "# > < | & !",
            "''",
        ] {
            let shown = evil.replace(char::is_control, " ");
            assert_eq!(read(&quoted(evil)).concat(), shown, "{evil:?}");
            let plan = Plan::Install(Installation {
                image: evil.into(),
                title: evil.into(),
                kernel: evil.into(),
                initrds: vec![evil.into()],
                args: evil.into(),
                ..Installation::default()
            });
            let text = config(mac(), &plan, ENDPOINT);
            let harmless = config(mac(), &Plan::Install(install()), ENDPOINT);
            assert_eq!(text.lines().count(), harmless.lines().count(), "{text}");
            let told = text.lines().next().unwrap();
            let title = format!("pxeberry: installing {shown} ({shown})");
            assert_eq!(read(told), ["echo", &title]);
            for line in text.lines() {
                let line = line.trim_start();
                let command = line.strip_prefix("if linux ").and_then(|l| l.strip_suffix("; then"));
                if let Some(arguments) = command {
                    assert!(read(arguments)[0].ends_with(&format!("/{shown}")), "{line}");
                }
                let command = line.strip_prefix("if initrd ");
                if let Some(files) = command.and_then(|l| l.strip_suffix("; then boot; fi")) {
                    assert_eq!(read(files).len(), 1, "{line}");
                }
            }
        }
    }

    #[test]
    fn a_stranger_is_sent_to_its_disk_and_never_to_a_kernel() {
        let text = config(None, &Plan::LocalBoot("it's not known"), ENDPOINT);
        let told = r"echo 'pxeberry: booting your own disk (it'\''s not known)'";
        assert!(text.ends_with(&format!("{told}\nown_disk\n")), "{text}");
        assert!(!text.contains("if linux "));
    }

    #[test]
    fn a_machine_that_waits_asks_for_its_own_file_again() {
        let text = config(mac(), &Plan::Wait, ENDPOINT);
        let name = "configfile '(tftp,10.10.10.1)/grub/grub.cfg-01-52-54-00-00-00-01'\n";
        assert!(text.contains(name), "{text}");
    }

    #[test]
    fn a_menu_starts_nothing_by_itself() {
        let text = config(mac(), &Plan::Menu, ENDPOINT);
        assert!(text.contains("set timeout=-1\n"), "{text}");
        assert!(!text.lines().any(|line| line == "own_disk"), "{text}");
    }
}
