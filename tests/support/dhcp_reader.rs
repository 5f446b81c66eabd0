//! Reads DHCP packets once more, by other code than the server's: what a request is, and
//! whether an answer to it is what a careful client takes. Nothing here is shared with the
//! server.

#![allow(dead_code, reason = "each scenario uses the part that it needs")]

const COOKIE: [u8; 4] = [99, 130, 83, 99];

/// Code and data of each option.
type Options<'a> = Vec<(u8, &'a [u8])>;

/// Code and data of each option of a field up to the end mark, and what is behind it; an
/// error if one lies.
fn options(field: &[u8]) -> Result<(Options<'_>, &[u8]), &'static str> {
    let mut found = Vec::new();
    let mut at = 0;
    loop {
        match field.get(at) {
            None => return Ok((found, &[])),
            Some(0) => at += 1,
            Some(255) => return Ok((found, &field[at..])),
            Some(code) => {
                let length = *field.get(at + 1).ok_or("a code without a length")?;
                let end = at + 2 + usize::from(length);
                found.push((*code, field.get(at + 2..end).ok_or("reaches past the end")?));
                at = end;
            }
        }
    }
}

/// Every option of a request, also those in the fields of the names (RFC 2131 §4.1).
fn all_options(packet: &[u8]) -> Result<Options<'_>, &'static str> {
    let (mut found, _) = options(&packet[240..])?;
    let overload = match joined(&found, 52)[..] {
        [fields] => fields,
        _ => 0,
    };
    for (field, place) in [(1, 108..236), (2, 44..108)] {
        if overload & field != 0 {
            found.extend(options(&packet[place])?.0);
        }
    }
    Ok(found)
}

/// Parts of one option are one option (RFC 3396).
fn joined(found: &[(u8, &[u8])], code: u8) -> Vec<u8> {
    found.iter().filter(|option| option.0 == code).flat_map(|option| option.1.to_vec()).collect()
}

/// Why nobody may answer this packet; none if there is no such reason.
pub fn must_be_refused(packet: &[u8]) -> Option<&'static str> {
    if !(240..=1500).contains(&packet.len()) {
        return Some("size");
    }
    let mac = &packet[28..34];
    let kind = match all_options(packet) {
        Ok(found) => joined(&found, 53),
        Err(reason) => return Some(reason),
    };
    let reasons = [
        (packet[0] != 1, "op"),
        (packet[1] != 1 || packet[2] != 6, "hardware"),
        (packet[3] > 16, "hops"),
        (packet[236..240] != COOKIE, "cookie"),
        (mac[0] & 1 == 1 || mac == [0; 6], "no machine's address"),
        (!matches!(kind[..], [1 | 3 | 4 | 7 | 8]), "message type"),
    ];
    reasons.iter().find(|(holds, _)| *holds).map(|(_, reason)| *reason)
}

/// Whether it says of itself that it boots from the network.
pub fn network_boots(packet: &[u8]) -> bool {
    let class = joined(&all_options(packet).unwrap_or_default(), 60);
    class.starts_with(b"PXEClient") || class.starts_with(b"HTTPClient")
}

/// An answer, read.
#[derive(Debug)]
pub struct Answer<'a> {
    /// OFFER, ACK or NAK.
    pub kind: u8,
    /// The address that is given.
    pub yiaddr: [u8; 4],
    options: Options<'a>,
}

impl<'a> Answer<'a> {
    /// Fails unless the answer is well-formed and belongs to the request.
    #[track_caller]
    pub fn read(answer: &'a [u8], request: &[u8], server: [u8; 4]) -> Answer<'a> {
        assert!((300..=1472).contains(&answer.len()), "{} bytes", answer.len());
        assert_eq!(answer[..4], [2, 1, 6, 0], "op, htype, hlen, hops");
        assert_eq!(answer[4..8], request[4..8], "xid");
        assert_eq!(answer[8..10], [0, 0], "secs");
        assert_eq!(answer[10] & 0x7f, request[10] & 0x7f, "flags");
        assert!(answer[10] >= request[10] && answer[11] == request[11], "flags");
        assert_eq!(answer[24..28], request[24..28], "giaddr");
        assert_eq!(answer[28..34], request[28..34], "chaddr");
        assert_eq!(answer[34..44], [0; 10], "behind chaddr");
        assert_eq!(answer[235], 0, "the file name has an end");
        assert_eq!(answer[236..240], COOKIE);
        let (options, rest) = options(&answer[240..]).expect("options");
        assert_eq!(rest.first(), Some(&255), "no end mark");
        assert!(rest[1..].iter().all(|byte| *byte == 0), "something behind the end mark");
        let codes: Vec<u8> = options.iter().map(|(code, _)| *code).collect();
        let kind = match options.first() {
            Some((53, [kind @ (2 | 5 | 6)])) => *kind,
            other => panic!("53 is not first, or wrong: {other:?}"),
        };
        let answer = Answer { kind, yiaddr: answer[16..20].try_into().unwrap(), options };
        assert_eq!(answer.option(54), Some(&server_id(request, server)[..]), "54");
        for code in [13, 52, 55, 50, 57] {
            assert!(!codes.contains(&code), "option {code} is not for servers: {codes:?}");
        }
        // What a relay said may be long, and comes in parts then.
        let relay = codes.iter().position(|code| *code == 82).unwrap_or(codes.len());
        assert!(codes[relay..].iter().all(|code| *code == 82), "82 is not last: {codes:?}");
        let mut once = codes[..relay].to_vec();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), relay, "twice: {codes:?}");
        answer
    }

    /// The data of an option.
    pub fn option(&self, code: u8) -> Option<&'a [u8]> {
        self.options.iter().find(|(found, _)| *found == code).map(|(_, data)| *data)
    }
}

/// The address that the client shall take for its server's: a relay may say (RFC 5107).
fn server_id(request: &[u8], server: [u8; 4]) -> [u8; 4] {
    if request[24..28] == [0; 4] {
        return server;
    }
    let mut relay = &joined(&all_options(request).unwrap_or_default(), 82)[..];
    while let [code, length, rest @ ..] = relay {
        let Some((data, after)) = rest.split_at_checked(usize::from(*length)) else { break };
        match (*code, <[u8; 4]>::try_from(data)) {
            (255, _) => break,
            (11, Ok(address)) => return address,
            (11, Err(_)) => break,
            _ => relay = after,
        }
    }
    server
}

/// The longest answer that the client can take: what it says, at least 548 bytes of DHCP.
pub fn longest_answer(request: &[u8]) -> usize {
    let said = joined(&all_options(request).unwrap_or_default(), 57);
    let size = said.first_chunk::<2>().map_or(0, |size| usize::from(u16::from_be_bytes(*size)));
    size.saturating_sub(28).max(548)
}
