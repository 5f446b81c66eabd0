//! Words of the stick's owner, for templates. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A machine's labels. Those of its group and of the defaults are held once for all that have
/// them: tens of kilobytes in each of thousands of machines would fill the memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    own: BTreeMap<String, String>,
    from: Option<Arc<Labels>>,
}

impl Labels {
    /// Says it instead of what was said before.
    pub fn insert(&mut self, key: String, value: String) {
        self.own.insert(key, value);
    }

    /// The same, for others to be put over.
    pub fn shared(self) -> Labels {
        match self.own.is_empty() {
            true => self,
            false => Labels { own: BTreeMap::new(), from: Some(Arc::new(self)) },
        }
    }

    /// All of them.
    pub fn all(&self) -> BTreeMap<&str, &str> {
        let mut all = self.from.as_ref().map(|from| from.all()).unwrap_or_default();
        all.extend(self.own.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_later_goes_before_and_the_rest_is_held_once() {
        let mut base = Labels::default();
        base.insert("role".into(), "any".into());
        base.insert("site".into(), "here".into());
        let base = base.shared();
        let [mut a, b] = [base.clone(), base.clone()];
        a.insert("role".into(), "web".into());
        assert_eq!(a.all(), BTreeMap::from([("role", "web"), ("site", "here")]));
        assert_eq!(b.all(), BTreeMap::from([("role", "any"), ("site", "here")]));
        let held = base.from.as_ref().unwrap();
        assert_eq!(Arc::strong_count(held), 3, "one list for three");
    }
}
