//! DHCP option codes that we read or write (IANA "BOOTP Vendor Extensions").

/// RFC 2132 §3.3
pub const SUBNET_MASK: u8 = 1;
/// RFC 2132 §3.5
pub const ROUTER: u8 = 3;
/// RFC 2132 §3.8
pub const DNS: u8 = 6;
/// RFC 2132 §5.3
pub const BROADCAST: u8 = 28;
/// RFC 2132 §8.4, with PXE's sub-options
pub const VENDOR: u8 = 43;
/// RFC 2132 §9.1
pub const REQUESTED: u8 = 50;
/// RFC 2132 §9.2
pub const LEASE: u8 = 51;
/// RFC 2132 §9.6
pub const MESSAGE_TYPE: u8 = 53;
/// RFC 2132 §9.7
pub const SERVER_ID: u8 = 54;
/// RFC 2132 §9.9
pub const MESSAGE: u8 = 56;
/// RFC 2132 §9.10
pub const MAX_SIZE: u8 = 57;
/// RFC 2132 §9.11: T1
pub const RENEW: u8 = 58;
/// RFC 2132 §9.12: T2
pub const REBIND: u8 = 59;
/// RFC 2132 §9.13
pub const VENDOR_CLASS: u8 = 60;
/// RFC 2132 §9.14
pub const CLIENT_ID: u8 = 61;
/// RFC 3004
pub const USER_CLASS: u8 = 77;
/// RFC 3046
pub const RELAY_INFO: u8 = 82;
/// RFC 4578 §2.1
pub const ARCH: u8 = 93;
/// RFC 4578 §2.3
pub const UUID: u8 = 97;
/// iPXE's own
pub const IPXE: u8 = 175;
