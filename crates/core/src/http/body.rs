//! A request's body, as far as a decision looks at one.

use std::fmt;
use std::rc::Rc;
use zeroize::Zeroizing;

/// The longest body that is read. Token requests are a few hundred bytes; an assertion signed
/// with a long RSA key, in a form, stays below 3 KiB.
pub const MAX_BODY: usize = 16 * 1024;

/// A request's whole body. It holds clients' secrets: it doesn't show in Debug output, and is
/// wiped when the decision is over.
#[derive(Clone)]
pub struct Body(Rc<Zeroizing<Vec<u8>>>);

impl Body {
    /// Takes a body over.
    pub fn new(bytes: Vec<u8>) -> Body {
        Body(Rc::new(Zeroizing::new(bytes)))
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}
