//! How many characters a pattern takes, as far as that decides whether one may look behind for it.

use super::{LookBehind, Translator};

pub(super) const INVALID: &str = "invalid pattern in look-behind";

/// Characters that something takes; `None` when that varies.
type Width = Option<usize>;

/// The width of what has been read of a group.
#[derive(Clone, Copy)]
pub(super) struct Widths {
    /// Of the alternatives before, if there are any.
    before: Option<Width>,
    /// Of the alternative under way.
    current: Width,
    /// Of its last atom, which a quantifier may repeat.
    atom: Width,
    /// Whether alternatives take different numbers of characters, none of them no character.
    mixed: bool,
}

// === impl Widths ===

impl Widths {
    pub(super) const EMPTY: Widths = Widths {
        before: None,
        current: Some(0),
        atom: Some(0),
        mixed: false,
    };

    pub(super) fn add(&mut self, atom: Width) {
        self.atom = atom;
        self.current = self.current.zip(atom).map(|(current, atom)| current + atom);
    }

    /// The last atom happens `times` times.
    pub(super) fn repeat(&mut self, times: Option<u32>) {
        let more = times.zip(self.atom).zip(self.current);
        self.current = more.and_then(|((times, atom), current)| {
            (current - atom).checked_add(atom.checked_mul(times as usize)?)
        });
        self.atom = None;
    }

    /// Ends an alternative.
    pub(super) fn alternative(&mut self) {
        let total = match (self.before, self.current) {
            (None, current) => current,
            (Some(Some(before)), Some(current)) if before != current => {
                self.mixed |= before != 0 && current != 0;
                None
            }
            (Some(before), current) => before.and(current),
        };
        *self = Widths {
            before: Some(total),
            mixed: self.mixed,
            ..Widths::EMPTY
        };
    }

    /// The width of the whole group.
    pub(super) fn total(&mut self) -> Width {
        self.alternative();
        self.before.flatten()
    }
}

// === impl Translator ===

impl Translator<'_> {
    /// The width of the escape whose letter comes next.
    pub(super) fn escape_width(&self) -> Width {
        match self.rest.chars().next() {
            Some('b' | 'B' | 'A' | 'z' | 'Z' | 'G' | 'K' | 'y' | 'Y') => Some(0),
            Some('R' | 'X' | 'k' | 'g' | '1'..='9') => None,
            Some('Q') => {
                let quoted = self.rest[1..].split(r"\E").next();
                quoted.map(|text| text.chars().count())
            }
            _ => Some(1),
        }
    }

    /// Nothing that looks ahead may stand where one looks behind.
    pub(super) fn check_ahead(&self) -> Result<(), String> {
        match self.options.look_behind {
            LookBehind::No => Ok(()),
            LookBehind::Positive | LookBehind::Negative => Err(INVALID.to_owned()),
        }
    }

    /// Alternatives of different widths may not stand there either.
    pub(super) fn check_alternatives(&self) -> Result<(), String> {
        match self.widths.mixed {
            true => self.check_ahead(),
            false => Ok(()),
        }
    }
}
