//! The race detector: for each shared element, who touched it since the last barrier.
//!
//! Operations run in lockstep, which hides a missing barrier; but which work-item touches which
//! element between two barriers does not depend on their order, so every race is found that this
//! input makes possible.

/// How an element is touched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Touch {
    /// Plain read.
    Read,
    /// Plain write.
    Write,
    /// Atomic read-modify-write.
    Atomic,
}

/// The first two different work-items of those who touched an element in one way.
#[derive(Clone, Copy, Default)]
struct Touchers([Option<u32>; 2]);

impl Touchers {
    fn add(&mut self, item: u32) {
        match self.0 {
            [None, _] => self.0[0] = Some(item),
            [Some(first), None] if first != item => self.0[1] = Some(item),
            _ => {}
        }
    }

    fn other_than(&self, item: u32) -> Option<u32> {
        self.0.into_iter().flatten().find(|&other| other != item)
    }
}

#[derive(Clone, Copy, Default)]
struct Cell {
    /// The epoch that the rest is about.
    epoch: u64,
    touchers: [Touchers; 3],
}

/// The state of one running group.
pub struct Races {
    arrays: Vec<Vec<Cell>>,
    epoch: u64,
}

impl Races {
    /// For shared arrays of these lengths.
    pub fn new(lens: impl Iterator<Item = u32>) -> Races {
        Races {
            arrays: lens.map(|n| vec![Cell::default(); n as usize]).collect(),
            epoch: 1,
        }
    }

    /// A barrier, or a new group.
    pub fn barrier(&mut self) {
        self.epoch += 1;
    }

    /// Notes a touch and returns the work-item that it races with, if any.
    pub fn touch(&mut self, array: usize, element: u64, item: u32, how: Touch) -> Option<u32> {
        let cell = self.arrays.get_mut(array)?.get_mut(element as usize)?;
        if cell.epoch != self.epoch {
            *cell = Cell {
                epoch: self.epoch,
                ..Cell::default()
            };
        }
        cell.touchers[how as usize].add(item);
        let harmless = |other: Touch| other == how && how != Touch::Write;
        [Touch::Read, Touch::Write, Touch::Atomic]
            .into_iter()
            .filter(|&other| !harmless(other))
            .find_map(|other| cell.touchers[other as usize].other_than(item))
    }
}
