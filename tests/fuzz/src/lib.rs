//! What every target does around its function: it counts the memory that the function takes.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Makes the one entry of a target's program.
#[macro_export]
macro_rules! target {
    ($name:ident) => {
        libfuzzer_sys::fuzz_target!(|data: &[u8]| $crate::bounded(karute_tests::fuzz::$name, data));
    };
}

/// Runs a target on an input. More memory at one time than the input gives reason for is a crash: bytes of a stranger
/// must not make a party take memory on their word. An input that takes more is run again, since the first to come to a
/// scene of its target makes that scene.
pub fn bounded(target: fn(&[u8]), data: &[u8]) {
    let allowed = BYTES_FREE + BYTES_FOR_EACH * data.len();
    if taken(target, data) > allowed {
        let taken = taken(target, data);
        assert!(taken <= allowed, "{taken} bytes of memory for {} bytes of input, {allowed} are allowed", data.len());
    }
}

/// The most memory that a run holds at one time.
fn taken(target: fn(&[u8]), data: &[u8]) -> usize {
    let before = HELD.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    target(data);
    MOST.load(Ordering::Relaxed).saturating_sub(before)
}

/// The allocator of the system, with a count of what is held.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

fn took(bytes: usize) {
    let held = HELD.fetch_add(bytes, Ordering::Relaxed) + bytes;
    MOST.fetch_max(held, Ordering::Relaxed);
}

// SAFETY: every call is passed on to the allocator of the system unchanged; beside it only numbers are added up.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        took(bytes);
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.realloc(place, layout, bytes) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// What any input may cost: queues, buffers of a chunk, a runtime.
const BYTES_FREE: usize = 2 << 20;
/// What each byte of input may cost: a decoded value is larger than its bytes, and is compared with its own encoding.
const BYTES_FOR_EACH: usize = 256;
