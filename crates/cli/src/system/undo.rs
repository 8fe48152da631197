//! Changes of the host that are taken back unless all of them succeed.

/// What to do, last first, if it is dropped before [`Undo::keep`].
#[derive(Default)]
pub(crate) struct Undo<'a>(Vec<Box<dyn FnOnce() + 'a>>);

impl<'a> Undo<'a> {
    /// Notes how to take back what was just done.
    pub(crate) fn with(&mut self, step: impl FnOnce() + 'a) {
        self.0.push(Box::new(step));
    }

    /// All succeeded.
    pub(crate) fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        while let Some(step) = self.0.pop() {
            step();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn last_first_unless_kept() {
        let log = RefCell::new(Vec::new());
        let mut undo = Undo::default();
        undo.with(|| log.borrow_mut().push(1));
        undo.with(|| log.borrow_mut().push(2));
        drop(undo);
        assert_eq!(*log.borrow(), [2, 1]);
        let mut undo = Undo::default();
        undo.with(|| log.borrow_mut().push(3));
        undo.keep();
        assert_eq!(log.borrow().len(), 2);
    }
}
