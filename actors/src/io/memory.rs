//! Giving back what only the start needed.
#![expect(unsafe_code, reason = "the kernel is told about ranges of our own address space")]

use std::fs;

/// Tells the kernel that the program's code need not stay resident: what goes on being used comes back page
/// by page from the page cache, and what only the start used (command line, configuration) does not. Heap that
/// the start left unused is given back too.
///
/// Returns how many octets of code were let go; 0 where `/proc` cannot be read, which costs nothing but memory.
pub fn release_start() -> usize {
    // SAFETY: malloc_trim only returns free memory to the kernel.
    unsafe { libc::malloc_trim(0) };
    let (Ok(maps), Ok(program)) = (fs::read_to_string("/proc/self/maps"), fs::read_link("/proc/self/exe"))
    else {
        return 0;
    };
    let program = program.to_string_lossy();
    maps.lines().filter_map(|line| code_range(line, &program)).map(|(start, end)| release(start, end)).sum()
}

/// The range of a line of `/proc/PID/maps` (proc(5)) if it holds the program's code.
///
/// Only mappings that are executable and not writable: they are never written, so every page can be read
/// again from the file. Read-only data is left alone, because relocated data looks just like it.
fn code_range(line: &str, program: &str) -> Option<(usize, usize)> {
    let mut fields = line.split_ascii_whitespace();
    let (range, rights) = (fields.next()?, fields.next()?);
    let path = fields.nth(3)?;
    let (start, end) = range.split_once('-')?;
    let range = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    (rights == "r-xp" && path == program && range.0 < range.1).then_some(range)
}

fn release(start: usize, end: usize) -> usize {
    let length = end - start;
    // SAFETY: the range is a private, executable, unwritable mapping of our own program file. Its pages are
    // unchanged copies of the file, so dropping them (madvise(2), MADV_DONTNEED) only means reading again.
    let outcome = unsafe { libc::madvise(start as *mut libc::c_void, length, libc::MADV_DONTNEED) };
    if outcome == 0 { length } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_programs_own_code_is_taken() {
        let line =
            |rights: &str, path: &str| format!("5581d000-5582f000 {rights} 0001d000 fe:00 1234   {path}");
        assert_eq!(code_range(&line("r-xp", "/bin/a"), "/bin/a"), Some((0x5581_d000, 0x5582_f000)));
        for other in
            [line("r--p", "/bin/a"), line("rwxp", "/bin/a"), line("r-xp", "/lib/b.so"), String::new()]
        {
            assert_eq!(code_range(&other, "/bin/a"), None, "{other}");
        }
    }

    #[test]
    fn the_program_goes_on_without_its_resident_code() {
        assert!(release_start() > 0);
        assert_eq!([3, 1, 2].iter().sum::<i32>(), 6);
    }
}
