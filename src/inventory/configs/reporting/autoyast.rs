//! AutoYaST: a script in the new system, behind the boot loader and before the first restart.
//! What runs later is too late for a machine that boots from the network first.

use roxmltree::{Document, Node};

use super::super::check::parse_xml;
use super::{Left, PAUSES, Reports};

/// What is added has this name; who has one of it has written it himself.
const NAME: &str = "pxeberry-report.sh";

/// With the script as the last one of its kind.
pub fn add(text: &str, reports: &Reports) -> Result<String, Left> {
    let document = read(text)?;
    let root = document.root_element();
    if root.descendants().any(|node| node.text().is_some_and(|text| text.trim() == NAME)) {
        return Err("it has a script pxeberry-report.sh");
    }
    let script = script(&reports.installed);
    let list = format!(
        "<chroot-scripts xmlns:config=\"http://www.suse.com/1.0/configns\" config:type=\"list\">\
         \n{script}</chroot-scripts>\n"
    );
    let scripts = only(root, "scripts")?;
    let lists = scripts.map(|scripts| only(scripts, "chroot-scripts")).transpose()?.flatten();
    let (place, content) = match (lists, scripts) {
        (Some(list), _) => (list, script),
        (None, Some(scripts)) => (scripts, list),
        (None, None) => (root, format!("<scripts>\n{list}</scripts>\n")),
    };
    let added = within(text, place, &content).ok_or("its elements have prefixes")?;
    match is_in_between(&said(&document), &said(&read(&added)?)) {
        true => Ok(added),
        false => Err("it would not be the same with a script in it"),
    }
}

fn read(text: &str) -> Result<Document<'_>, Left> {
    parse_xml(text).map_err(|_| "it is no XML")
}

/// The child of this name.
fn only<'a>(node: Node<'a, 'a>, name: &str) -> Result<Option<Node<'a, 'a>>, Left> {
    let mut found = node.children().filter(|child| child.tag_name().name() == name);
    match (found.next(), found.next()) {
        (first, None) => Ok(first),
        _ => Err("it has scripts in two places"),
    }
}

/// At the end of an element, which is written without a prefix.
fn within(text: &str, node: Node, content: &str) -> Option<String> {
    let (name, range) = (node.tag_name().name(), node.range());
    let element = text.get(range.clone())?;
    let behind_name = element.strip_prefix('<')?.strip_prefix(name)?;
    if !behind_name.starts_with(|c: char| c.is_whitespace() || matches!(c, '>' | '/')) {
        return None;
    }
    let (before, behind) = (text.get(..range.start)?, text.get(range.end..)?);
    match element.strip_suffix("/>") {
        Some(open) => Some(format!("{before}{open}>\n{content}</{name}>{behind}")),
        None => {
            let (inside, end) = element.split_at_checked(element.rfind("</")?)?;
            Some(format!("{before}{inside}{content}{end}{behind}"))
        }
    }
}

/// All that a document says, in its order.
fn said(document: &Document) -> Vec<String> {
    let mut all = Vec::new();
    for node in document.descendants() {
        let depth = node.ancestors().count();
        let text = node.text().filter(|_| node.is_text()).unwrap_or_default().trim();
        if node.is_element() {
            let name = node.tag_name();
            all.push(format!("{depth} {} {}", name.name(), name.namespace().unwrap_or_default()));
            all.extend(node.attributes().map(|a| format!("{} {}", a.name(), a.value())));
        } else if !text.is_empty() {
            all.push(format!("{depth} {text}"));
        }
    }
    all
}

/// Whether something was put into what was said, at one place, and nothing else was done.
fn is_in_between(before: &[String], after: &[String]) -> bool {
    let same = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let rest = before.get(same..).unwrap_or_default();
    after.len() > before.len() && after.ends_with(rest)
}

/// A small system may have neither curl nor wget. The shell is bash, which needs none.
fn script(url: &str) -> String {
    let behind = url.trim_start_matches("http://");
    let (host, path) = behind.split_once('/').unwrap_or((behind, ""));
    let (host, port) = host.split_once(':').unwrap_or((host, "80"));
    format!(
        "<script>\n<filename>{NAME}</filename>\n<chrooted \
         xmlns:config=\"http://www.suse.com/1.0/configns\" config:type=\"boolean\">true</chrooted>\
         \n<interpreter>shell</interpreter>\n<source><![CDATA[\n\
         by_hand() {{\n    timeout 10 bash -c 'exec 3<>/dev/tcp/{host}/{port} &&\n        \
         printf \"GET /{path} HTTP/1.0\\r\\n\\r\\n\" >&3 &&\n        read -r line <&3 &&\n        \
         [[ $line == *\" 200 \"* ]]'\n}}\n\
         for pause in {PAUSES}; do\n    \
         curl -fsS -m 10 -o /dev/null '{url}' && break\n    \
         wget -q -T 10 -t 1 -O /dev/null '{url}' && break\n    \
         by_hand && break\n    sleep $pause\ndone\ntrue\n]]></source>\n</script>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::{INSTALLED, reports, runs, tells};
    use super::*;

    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::process::Command;

    /// The source of the last script.
    fn source(text: &str) -> String {
        let document = read(text).unwrap();
        let path: Vec<_> = ["scripts", "chroot-scripts"].into();
        let list = path.iter().fold(document.root_element(), |node, name| {
            only(node, name).unwrap().unwrap_or_else(|| panic!("{name}: {text}"))
        });
        let last = list.children().rfind(Node::is_element).unwrap();
        let of = |name: &str| only(last, name).unwrap().unwrap().text().unwrap().to_owned();
        assert_eq!((of("filename").as_str(), of("chrooted").as_str()), (NAME, "true"));
        let kind = list.attribute(("http://www.suse.com/1.0/configns", "type"));
        assert_eq!(kind, Some("list"), "{text}");
        of("source")
    }

    const HEAD: &str = "<?xml version=\"1.0\"?>\n<!DOCTYPE profile>\n<profile \
                        xmlns=\"http://www.suse.com/1.0/yast2ns\" \
                        xmlns:config=\"http://www.suse.com/1.0/configns\">";

    #[test]
    fn the_last_script_reports_wherever_the_owners_are() {
        for inside in [
            "",
            "<general/>\r\n",
            "<!-- </profile> <scripts> --><general><mode/></general>",
            "<scripts/>",
            "<scripts ><post-scripts config:type=\"list\"/></scripts>",
            "<scripts><chroot-scripts config:type=\"list\"/></scripts><a>x</a>",
            "<scripts><chroot-scripts config:type=\"list\"><script><source><![CDATA[\n\
             </chroot-scripts></scripts>&]]></source></script>\n</chroot-scripts>\n</scripts>",
        ] {
            let text = format!("{HEAD}{inside}</profile>\n");
            let added = add(&text, &reports()).unwrap();
            let ran = runs("bash", &source(&added));
            assert_eq!((ran.code, ran.told), (0, tells("installed")), "{added}");
            assert!(add(&added, &reports()).is_err(), "twice");
        }
        source(&add("<profile/>", &reports()).unwrap());
    }

    #[test]
    fn a_profile_that_is_written_in_another_way_is_left_as_it_is() {
        for text in [
            "<y:profile xmlns:y=\"http://www.suse.com/1.0/yast2ns\"></y:profile>",
            "<profile><scripts/><scripts/></profile>",
            "<profile><scripts><chroot-scripts/><chroot-scripts/></scripts></profile>",
            "<profile>",
        ] {
            assert!(add(text, &reports()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_system_without_curl_and_wget_reports_too() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = INSTALLED.replace("10.10.10.1:8080", &format!("127.0.0.1:{port}"));
        let text = source(&add("<profile/>", &Reports { installed: url, ..reports() }).unwrap());
        let text = text.replace("curl ", "no-curl ").replace("wget ", "no-wget ");
        let answers = std::thread::spawn(move || {
            // The first answer is no good one.
            for status in ["503 Service Unavailable", "200 OK"] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut line = String::new();
                BufReader::new(&stream).read_line(&mut line).unwrap();
                let path = INSTALLED.strip_prefix("http://10.10.10.1:8080").unwrap();
                assert_eq!(line, format!("GET {path} HTTP/1.0\r\n"));
                write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").unwrap();
            }
        });
        let script = format!("sleep() {{ :; }}\n{text}");
        let ran = Command::new("bash").args(["-c", &script]).output().unwrap();
        assert!(ran.status.success());
        answers.join().unwrap();
    }
}
