//! Bytes of a fuzzer read as choices: which case, how many, where. When they run out every choice is 0, so an input can be
//! cut anywhere and still means something.

/// The choices that are left.
pub struct Source<'d> {
    bytes: &'d [u8],
}

impl<'d> Source<'d> {
    /// Takes an input.
    pub fn new(bytes: &'d [u8]) -> Self {
        Self { bytes }
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// The next eight bytes as a number.
    pub fn number(&mut self) -> u64 {
        self.take(8).iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// The next two bytes as a number.
    pub fn short(&mut self) -> u16 {
        self.take(2).iter().fold(0, |number, byte| number << 8 | u16::from(*byte))
    }

    /// One of `count` places.
    pub fn place(&mut self, count: usize) -> usize {
        if count <= 256 { usize::from(self.byte()) % count.max(1) } else { usize::from(self.short()) % count }
    }

    /// One of several; the first when nothing is left.
    pub fn one_of<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.place(all.len())]
    }

    /// One of several names.
    pub fn name(&mut self, all: &[&'static str]) -> &'static str {
        all[self.place(all.len())]
    }

    /// At most so many bytes.
    pub fn take(&mut self, most: usize) -> &'d [u8] {
        let (taken, rest) = self.bytes.split_at(most.min(self.bytes.len()));
        self.bytes = rest;
        taken
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'d [u8] {
        std::mem::take(&mut self.bytes)
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// An array filled from the next bytes, with zeros when they run out.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let taken = self.take(N);
        array[..taken.len()].copy_from_slice(taken);
        array
    }
}
