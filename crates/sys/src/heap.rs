//! The C library's allocator, told to give memory back (mallopt(3)).

/// Lets all threads share two arenas, and returns freed memory to the system as soon as it is more than some 128 KiB.
/// Without this a burst of work on many threads stays in the process's size for good. To be called before other threads
/// are started.
pub fn give_back_early() {
    #[cfg(target_env = "gnu")]
    for (parameter, value) in [
        (libc::M_ARENA_MAX, 2),
        (libc::M_TRIM_THRESHOLD, 128 << 10),
        // Setting it also keeps it from growing with what is freed.
        (libc::M_MMAP_THRESHOLD, 128 << 10),
    ] {
        // SAFETY: mallopt takes two numbers; one that it does not like changes nothing.
        unsafe { libc::mallopt(parameter, value) };
    }
}

/// Returns to the system all whole pages that nothing is in (malloc_trim(3)). It looks at the whole heap: for one that is
/// small, after work that is rare.
pub fn give_back_now() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim takes a number and touches free memory only.
    unsafe {
        libc::malloc_trim(0)
    };
}
