//! What reading costs, in counts that are the same on every machine: the edges of Depesch's own code that are taken (the
//! compiler has each call [`__sanitizer_cov_trace_pc`]), and the bytes that are allocated, by the parser below it too.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

static mut EDGES: u64 = 0;
static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST_HELD: AtomicUsize = AtomicUsize::new(0);

/// Called at each edge. Instrumented itself it would call itself: the compiler leaves out what is named like this.
#[unsafe(no_mangle)]
pub extern "C" fn __sanitizer_cov_trace_pc() {
    // Only counted, so that a race costs no more than a count.
    unsafe { EDGES += 1 }
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Relaxed);
        let held = HELD.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST_HELD.fetch_max(held, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// What may be spent: so much for each byte that is read, and so much more.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Edges taken for each byte.
    pub edges: u64,
    /// Bytes held at the same time for each byte.
    pub held: usize,
}

/// Whatever is read may take this.
const EDGES_MORE: u64 = 2_000_000;
const HELD_MORE: usize = 4 << 20;
/// Bytes allocated over time, for each byte held at the same time.
const TURNOVER: usize = 8;

/// Does the work of reading `length` bytes.
///
/// # Panics
/// When it spends more than the budget.
pub fn within<T>(budget: Budget, length: usize, work: impl FnOnce() -> T) -> T {
    let (edges, allocated, held) = (unsafe { EDGES }, ALLOCATED.load(Relaxed), HELD.load(Relaxed));
    MOST_HELD.store(held, Relaxed);
    let done = work();
    let edges = unsafe { EDGES } - edges;
    let allocated = ALLOCATED.load(Relaxed) - allocated;
    let held = MOST_HELD.load(Relaxed) - held;
    if std::env::var_os("FUZZ_WORK").is_some() {
        eprintln!("{length} bytes: {edges} edges, {held} bytes held, {allocated} allocated");
    }
    let most = (budget.edges * length as u64 + EDGES_MORE, budget.held * length + HELD_MORE);
    assert!(edges <= most.0, "{length} bytes take {edges} edges");
    assert!(held <= most.1, "{length} bytes hold {held} bytes");
    assert!(allocated <= TURNOVER * most.1, "{length} bytes allocate {allocated} bytes");
    done
}
