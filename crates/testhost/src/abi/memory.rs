//! Reading and writing a VM's memory.

use super::{Done, Guest, Stop};
use crate::status::Status;

fn place(offset: i32, length: usize) -> Option<std::ops::Range<usize>> {
    // Addresses are unsigned; the ABI's i32 only carries them.
    let start = usize::try_from(offset.cast_unsigned()).ok()?;
    Some(start..start.checked_add(length)?)
}

/// Copies bytes out of the VM.
pub(super) fn read(guest: &Guest<'_>, offset: i32, length: i32) -> Done<Vec<u8>> {
    let refuse = Stop::Status(Status::InvalidMemoryAccess);
    let Some(memory) = guest.data().memory else {
        return Err(refuse);
    };
    let found = usize::try_from(length.cast_unsigned())
        .ok()
        .and_then(|length| memory.data(guest).get(place(offset, length)?));
    found.map(<[u8]>::to_vec).ok_or(refuse)
}

/// Reads bytes that should be text; what is no UTF-8 is replaced.
pub(super) fn text(guest: &Guest<'_>, offset: i32, length: i32) -> Done<String> {
    let bytes = read(guest, offset, length)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Writes bytes where the VM wants them.
pub(super) fn write(guest: &mut Guest<'_>, offset: i32, bytes: &[u8]) -> Done {
    let refuse = Stop::Status(Status::InvalidMemoryAccess);
    let Some(memory) = guest.data().memory else {
        return Err(refuse);
    };
    let found = place(offset, bytes.len()).and_then(|place| memory.data_mut(guest).get_mut(place));
    found.ok_or(refuse)?.copy_from_slice(bytes);
    Ok(())
}

/// Writes a 32-bit number.
pub(super) fn write_u32(guest: &mut Guest<'_>, offset: i32, number: u32) -> Done {
    write(guest, offset, &number.to_le_bytes())
}

/// Hands bytes over in memory that the VM allocates, and writes address and length where it
/// wants them. Nothing is allocated for no bytes, as in Envoy: the address is then 0.
pub(super) fn give(guest: &mut Guest<'_>, bytes: &[u8], address: i32, length: i32) -> Done {
    let size = i32::try_from(bytes.len()).map_err(|_| Status::InvalidMemoryAccess)?;
    let mut place = 0;
    if !bytes.is_empty() {
        let Some(allocate) = guest.data().allocate.clone() else {
            return Err(Status::InvalidMemoryAccess.into());
        };
        place = allocate
            .call(&mut *guest, size)
            .map_err(|error| Stop::Trap(format!("allocating for the host: {error:#}")))?;
        write(guest, place, bytes)?;
    }
    write_u32(guest, address, place.cast_unsigned())?;
    write_u32(guest, length, size.cast_unsigned())
}
