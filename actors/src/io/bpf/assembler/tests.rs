use super::*;
use Register::{R0, R1, R2, R6, R7, R10};

/// An instruction from its fields, as RFC 9669 numbers them.
fn encoded(code: u8, to: u8, from: u8, offset: i16, number: i32) -> Instruction {
    let registers = if cfg!(target_endian = "little") { from << 4 | to } else { to << 4 | from };
    let mut octets = [code, registers, 0, 0, 0, 0, 0, 0];
    octets[2..4].copy_from_slice(&offset.to_ne_bytes());
    octets[4..].copy_from_slice(&number.to_ne_bytes());
    octets
}

fn assembled(write: impl FnOnce(&mut Assembler)) -> Vec<Instruction> {
    let mut assembler = Assembler::default();
    write(&mut assembler);
    assembler.assemble().expect("it has no jumps that lead nowhere")
}

#[test]
fn each_instruction_has_the_code_of_the_standard() {
    // What it is called in the text form that LLVM and the kernel's bpftool print.
    type Case = (&'static str, fn(&mut Assembler), Instruction);
    let cases: [Case; 16] = [
        ("r2 = -1", |it| it.set(R2, -1), encoded(0xb7, 2, 0, 0, -1)),
        ("r6 = r1", |it| it.copy(R6, R1), encoded(0xbf, 6, 1, 0, 0)),
        ("r2 += -16", |it| it.add(R2, -16), encoded(0x07, 2, 0, 0, -16)),
        ("r2 &= 1", |it| it.and(R2, 1), encoded(0x57, 2, 0, 0, 1)),
        ("r2 <<= 32", |it| it.shift_left(R2, 32), encoded(0x67, 2, 0, 0, 32)),
        ("r2 >>= 31", |it| it.shift_right(R2, 31), encoded(0x77, 2, 0, 0, 31)),
        ("r2 |= r6", |it| it.or(R2, R6), encoded(0x4f, 2, 6, 0, 0)),
        ("r2 = *(u16 *)(r7 + 4)", |it| it.load(Width::Half, R2, R7, 4), encoded(0x69, 2, 7, 4, 0)),
        ("r2 = *(u32 *)(r7 + 4)", |it| it.load(Width::Word, R2, R7, 4), encoded(0x61, 2, 7, 4, 0)),
        ("r2 = *(u64 *)(r7 + 4)", |it| it.load(Width::Double, R2, R7, 4), encoded(0x79, 2, 7, 4, 0)),
        ("*(u16 *)(r7 + 4) = r2", |it| it.store(Width::Half, R7, 4, R2), encoded(0x6b, 7, 2, 4, 0)),
        ("*(u32 *)(r10 - 4) = r2", |it| it.store(Width::Word, R10, -4, R2), encoded(0x63, 10, 2, -4, 0)),
        ("*(u64 *)(r10 - 8) = r2", |it| it.store(Width::Double, R10, -8, R2), encoded(0x7b, 10, 2, -8, 0)),
        ("lock *(u64 *)(r0 + 0) += r1", |it| it.add_to_memory(R0, 0, R1), encoded(0xdb, 0, 1, 0, 0)),
        ("call 23", |it| it.call(Helper::Redirect), encoded(0x85, 0, 0, 0, 23)),
        ("exit", Assembler::exit, encoded(0x95, 0, 0, 0, 0)),
    ];
    for (text, write, wanted) in cases {
        assert_eq!(assembled(write), [wanted], "{text}");
    }
}

#[test]
fn a_long_constant_and_a_map_take_two_instructions() {
    let constant = assembled(|it| it.constant(R2, 0x8000_0001_ffff_fffe));
    assert_eq!(constant, [encoded(0x18, 2, 0, 0, -2), encoded(0, 0, 0, 0, i32::MIN + 1)]);
    assert_eq!(assembled(|it| it.map(R1, 9)), [encoded(0x18, 1, 1, 0, 9), encoded(0, 0, 0, 0, 0)]);
}

#[test]
fn each_comparison_has_its_code_with_a_number_and_with_a_register() {
    let cases = [(If::Equal, 0x15), (If::Greater, 0x25), (If::AtLeast, 0x35), (If::NotEqual, 0x55)];
    for (condition, code) in cases {
        let found = assembled(|it| {
            let label = it.label();
            it.jump(condition, R2, 7, label);
            it.jump(condition, R2, R0, label);
            it.place(label);
        });
        assert_eq!(found, [encoded(code, 2, 0, 1, 7), encoded(code | 8, 2, 0, 0, 0)], "{condition:?}");
    }
}

#[test]
fn jumps_are_counted_from_the_instruction_behind_them_over_long_constants_and_backwards() {
    let found = assembled(|it| {
        let (start, end) = (it.label(), it.label());
        it.place(start);
        it.jump(If::Equal, R0, 0, end);
        it.constant(R0, 1);
        it.go(start);
        it.place(end);
        it.exit();
    });
    assert_eq!(found[3], encoded(0x05, 0, 0, -4, 0));
    let offsets: Vec<i16> = found.iter().map(|it| i16::from_ne_bytes([it[2], it[3]])).collect();
    assert_eq!(offsets, [3, 0, 0, -4, 0]);
}

#[test]
fn a_jump_that_leads_nowhere_is_an_error() {
    let mut assembler = Assembler::default();
    let label = assembler.label();
    assembler.exit();
    assembler.jump(If::Equal, R0, 0, label);
    assert_eq!(assembler.assemble(), Err(AssemblyError::Unplaced { from: 1 }));
}

#[test]
fn a_jump_reaches_32767_instructions_and_no_more() {
    let far = |count: usize| {
        let mut assembler = Assembler::default();
        let label = assembler.label();
        assembler.jump(If::Equal, R0, 0, label);
        for _ in 0..count {
            assembler.exit();
        }
        assembler.place(label);
        assembler.assemble().map(|program| i16::from_ne_bytes([program[0][2], program[0][3]]))
    };
    assert_eq!(far(32_767), Ok(32_767));
    assert_eq!(far(32_768), Err(AssemblyError::TooFar { from: 0, to: 32_769 }));
}
