//! An assembler of eBPF (RFC 9669): the few instructions that a program of ours needs, and jumps to labels.

/// One of the machine's registers. R1 to R5 do not survive a call; R10 points behind the stack frame and is only read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Register {
    R0,
    R1,
    R2,
    R3,
    R6 = 6,
    R7,
    R8,
    R9,
    R10,
}

/// How much is loaded or stored: 2, 4 or 8 octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Width {
    Half = 0x08,
    Word = 0x00,
    Double = 0x18,
}

/// When a jump is taken; numbers are unsigned and of 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum If {
    Equal = 0x10,
    Greater = 0x20,
    AtLeast = 0x30,
    NotEqual = 0x50,
}

/// What a register is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operand {
    Register(Register),
    /// Extended to 64 bits with its sign.
    Number(i32),
}

impl From<Register> for Operand {
    fn from(register: Register) -> Self {
        Self::Register(register)
    }
}

impl From<i32> for Operand {
    fn from(number: i32) -> Self {
        Self::Number(number)
    }
}

/// A function of the kernel, by its number in include/uapi/linux/bpf.h. None of them asks for a program under the GPL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Helper {
    /// R1: map, R2: pointer to a key. R0: pointer to the value, or 0.
    MapLookup = 1,
    /// R0: nanoseconds of `CLOCK_MONOTONIC`.
    Time = 5,
    /// R1: the packet, R2: interface, R3: flags. A copy leaves there. R0: 0, or something else if it did not. Pointers into
    /// the packet are worth nothing any more.
    CloneRedirect = 13,
    /// R1: interface, R2: flags. R0: what the program is to return so that the packet leaves there.
    Redirect = 23,
}

/// A place in the program, known or still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label(usize);

/// `struct bpf_insn`.
pub(super) type Instruction = [u8; 8];

/// Why a program cannot be assembled. Both are errors of whoever wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum AssemblyError {
    #[error("the jump at instruction {from} has no target")]
    Unplaced { from: usize },
    #[error("the jump at instruction {from} has its target at {to}, out of its range")]
    TooFar { from: usize, to: usize },
}

const ALU64: u8 = 0x07;
const JMP: u8 = 0x05;
/// The second operand is a register.
const FROM_REGISTER: u8 = 0x08;
const MOVE: u8 = 0xb0;
const ADD: u8 = 0x00;
const OR: u8 = 0x40;
const AND: u8 = 0x50;
const SHIFT_LEFT: u8 = 0x60;
const SHIFT_RIGHT: u8 = 0x70;
const LOAD: u8 = 0x61;
const STORE: u8 = 0x63;
const ATOMIC: u8 = 0xc3;
const LOAD_CONSTANT: u8 = 0x18;
/// The constant is the descriptor of a map, in place of which the kernel puts its address (`BPF_PSEUDO_MAP_FD`).
const OF_MAP: u8 = 1;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;

/// A program that grows.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    instructions: Vec<Instruction>,
    /// Where labels stand, in instructions from the start.
    places: Vec<Option<usize>>,
    /// Jumps whose distance is to be filled in.
    jumps: Vec<(usize, Label)>,
}

impl Assembler {
    /// A label that stands nowhere yet.
    pub(super) fn label(&mut self) -> Label {
        self.places.push(None);
        Label(self.places.len() - 1)
    }

    /// The label stands before the next instruction.
    pub(super) fn place(&mut self, label: Label) {
        self.places[label.0] = Some(self.instructions.len());
    }

    /// `to = value`, sign-extended.
    pub(super) fn set(&mut self, to: Register, value: i32) {
        self.push(ALU64 | MOVE, to as u8, 0, 0, value);
    }

    /// `to = from`.
    pub(super) fn copy(&mut self, to: Register, from: Register) {
        self.push(ALU64 | MOVE | FROM_REGISTER, to as u8, from as u8, 0, 0);
    }

    /// `to += value`.
    pub(super) fn add(&mut self, to: Register, value: i32) {
        self.push(ALU64 | ADD, to as u8, 0, 0, value);
    }

    /// `to &= bits`.
    pub(super) fn and(&mut self, to: Register, bits: i32) {
        self.push(ALU64 | AND, to as u8, 0, 0, bits);
    }

    /// `to <<= bits`.
    pub(super) fn shift_left(&mut self, to: Register, bits: i32) {
        self.push(ALU64 | SHIFT_LEFT, to as u8, 0, 0, bits);
    }

    /// `to >>= bits`, filled up with zeroes.
    pub(super) fn shift_right(&mut self, to: Register, bits: i32) {
        self.push(ALU64 | SHIFT_RIGHT, to as u8, 0, 0, bits);
    }

    /// `to |= from`.
    pub(super) fn or(&mut self, to: Register, from: Register) {
        self.push(ALU64 | OR | FROM_REGISTER, to as u8, from as u8, 0, 0);
    }

    /// `to = value`; two instructions long.
    pub(super) fn constant(&mut self, to: Register, value: u64) {
        let [low, high] = halves(value);
        self.push(LOAD_CONSTANT, to as u8, 0, 0, low);
        self.push(0, 0, 0, 0, high);
    }

    /// `to` = the map with this descriptor; two instructions long.
    pub(super) fn map(&mut self, to: Register, descriptor: i32) {
        self.push(LOAD_CONSTANT, to as u8, OF_MAP, 0, descriptor);
        self.push(0, 0, 0, 0, 0);
    }

    /// `to = *(from + offset)`, extended with zeroes.
    pub(super) fn load(&mut self, width: Width, to: Register, from: Register, offset: i16) {
        self.push(LOAD | width as u8, to as u8, from as u8, offset, 0);
    }

    /// `*(to + offset) = from`.
    pub(super) fn store(&mut self, width: Width, to: Register, offset: i16, from: Register) {
        self.push(STORE | width as u8, to as u8, from as u8, offset, 0);
    }

    /// `*(to + offset) += from`, 8 octets, at once for all processors.
    pub(super) fn add_to_memory(&mut self, to: Register, offset: i16, from: Register) {
        self.push(ATOMIC | Width::Double as u8, to as u8, from as u8, offset, 0);
    }

    /// Goes on at the label if the comparison holds.
    pub(super) fn jump(&mut self, condition: If, left: Register, right: impl Into<Operand>, label: Label) {
        self.jumps.push((self.instructions.len(), label));
        match right.into() {
            Operand::Register(right) => {
                self.push(JMP | condition as u8 | FROM_REGISTER, left as u8, right as u8, 0, 0);
            }
            Operand::Number(right) => self.push(JMP | condition as u8, left as u8, 0, 0, right),
        }
    }

    /// Goes on at the label.
    pub(super) fn go(&mut self, label: Label) {
        self.jumps.push((self.instructions.len(), label));
        self.push(JMP, 0, 0, 0, 0);
    }

    /// Calls a function of the kernel.
    pub(super) fn call(&mut self, helper: Helper) {
        self.push(CALL, 0, 0, 0, helper as i32);
    }

    /// Returns R0.
    pub(super) fn exit(&mut self) {
        self.push(EXIT, 0, 0, 0, 0);
    }

    /// The program, with all its jumps.
    pub(super) fn assemble(mut self) -> Result<Vec<Instruction>, AssemblyError> {
        for (from, label) in self.jumps {
            let to = self.places[label.0].ok_or(AssemblyError::Unplaced { from })?;
            // Counted from the instruction behind the jump.
            let distance = to.cast_signed() - from.cast_signed() - 1;
            let distance = i16::try_from(distance).map_err(|_| AssemblyError::TooFar { from, to })?;
            self.instructions[from][2..4].copy_from_slice(&distance.to_ne_bytes());
        }
        Ok(self.instructions)
    }

    fn push(&mut self, code: u8, to: u8, from: u8, offset: i16, number: i32) {
        // Two bit fields of a C struct, of which the first is the lower one on little-endian machines.
        let registers = if cfg!(target_endian = "little") { from << 4 | to } else { to << 4 | from };
        let [offset_0, offset_1] = offset.to_ne_bytes();
        let [number_0, number_1, number_2, number_3] = number.to_ne_bytes();
        self.instructions.push([code, registers, offset_0, offset_1, number_0, number_1, number_2, number_3]);
    }
}

/// The lower and the upper half of a number.
fn halves(value: u64) -> [i32; 2] {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    [i32::from_le_bytes([a, b, c, d]), i32::from_le_bytes([e, f, g, h])]
}

#[cfg(test)]
mod tests;
