//! Names in scope while compiling, and how far up the frames of the evaluation they live.

/// A name that can be referred to.
enum Entry<'c> {
    Var {
        name: &'c str,
        depth: usize,
        slot: usize,
    },
    Label {
        name: &'c str,
        depth: usize,
    },
    Param {
        name: &'c str,
        depth: usize,
        index: usize,
    },
    Func {
        name: &'c str,
        arity: usize,
        func: usize,
        depth: usize,
    },
}

/// What a call refers to.
pub(super) enum Found {
    Param { hops: usize, index: usize },
    Func { hops: usize, func: usize },
}

#[derive(Default)]
pub(super) struct Scope<'c> {
    entries: Vec<Entry<'c>>,
    /// Frames of the evaluation at this point of the program.
    depth: usize,
    /// Per opened frame or definition: what to go back to.
    marks: Vec<(usize, usize)>,
}

// === impl Scope ===

impl<'c> Scope<'c> {
    fn open(&mut self) -> usize {
        self.marks.push((self.entries.len(), self.depth));
        self.marks.len() - 1
    }

    /// Forgets everything since the mark.
    pub(super) fn pop(&mut self, mark: usize) {
        if let Some(&(entries, depth)) = self.marks.get(mark) {
            self.entries.truncate(entries);
            self.depth = depth;
            self.marks.truncate(mark);
        }
    }

    pub(super) fn push_vars(&mut self, names: &[&'c str]) -> usize {
        let mark = self.open();
        self.depth += 1;
        let depth = self.depth;
        let vars = names.iter().enumerate();
        self.entries
            .extend(vars.map(|(slot, name)| Entry::Var { name, depth, slot }));
        mark
    }

    pub(super) fn push_label(&mut self, name: &'c str) -> usize {
        let mark = self.open();
        self.depth += 1;
        self.entries.push(Entry::Label {
            name,
            depth: self.depth,
        });
        mark
    }

    /// Functions without parameters have no frame.
    pub(super) fn push_params(&mut self, names: &[&'c str]) -> usize {
        let mark = self.open();
        if !names.is_empty() {
            self.depth += 1;
        }
        let depth = self.depth;
        let params = names.iter().enumerate();
        self.entries
            .extend(params.map(|(index, name)| Entry::Param { name, depth, index }));
        mark
    }

    pub(super) fn push_func(&mut self, name: &'c str, arity: usize, func: usize) -> usize {
        let mark = self.open();
        self.entries.push(Entry::Func {
            name,
            arity,
            func,
            depth: self.depth,
        });
        mark
    }

    pub(super) fn variable(&self, wanted: &str) -> Option<(usize, usize)> {
        self.entries.iter().rev().find_map(|entry| match entry {
            Entry::Var { name, depth, slot } if *name == wanted => {
                Some((self.depth - depth, *slot))
            }
            _ => None,
        })
    }

    pub(super) fn label(&self, wanted: &str) -> Option<usize> {
        self.entries.iter().rev().find_map(|entry| match entry {
            Entry::Label { name, depth } if *name == wanted => Some(self.depth - depth),
            _ => None,
        })
    }

    pub(super) fn function(&self, wanted: &str, wanted_arity: usize) -> Option<Found> {
        self.entries.iter().rev().find_map(|entry| match entry {
            Entry::Func {
                name,
                arity,
                func,
                depth,
            } if *name == wanted && *arity == wanted_arity => Some(Found::Func {
                hops: self.depth - depth,
                func: *func,
            }),
            Entry::Param { name, depth, index } if wanted_arity == 0 && *name == wanted => {
                Some(Found::Param {
                    hops: self.depth - depth,
                    index: *index,
                })
            }
            _ => None,
        })
    }
}
