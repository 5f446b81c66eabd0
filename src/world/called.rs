//! What this box is called on its LAN, as long as the name is its own.

use super::{World, locked};

impl World {
    /// `pxeberry.local`; none: nobody else's is taken for it.
    pub fn called(&self) -> Option<String> {
        locked(&self.called).clone()
    }

    /// Its name from now on.
    pub fn is_called(&self, name: Option<&str>) {
        let name = name.map(str::to_owned);
        let before = std::mem::replace(&mut *locked(&self.called), name.clone());
        if before != name {
            self.changed();
        }
    }
}
