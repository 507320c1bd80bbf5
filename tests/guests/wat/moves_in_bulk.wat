;; `embed` does one operation in bulk; the length of the first text says which: 1, none; 2, `memory.fill` of
;; 1,000,000 bytes; 3, `memory.copy` of as many; 4, `memory.init` of 400; 5, `table.fill` of 10,000
;; elements; 6, `table.copy` of as many; 7, `table.init` of 40; 8, `table.grow` by 10,000.
;;
;; Promise: a byte or an element that an operation moves costs a unit of fuel.
(component
  (core module $guest
    (memory (export "memory") 32)
    ;; Both answers are zeros: `ok`, and empty strings and lists.
    (func (export "init") (result i32) (i32.const 16))
    (func (export "describe") (result i32) (i32.const 16))
    ;; `embed` answers one text with the vector [0.0] and no truncation: the fields of the answer
    ;; from 64 on, its values at 128, its flags at 132.
    (data (i32.const 64) "\00\00\00\00" "\01\00\00\00" "\80\00\00\00\01\00\00\00"
                         "\84\00\00\00\01\00\00\00")
    (table $table 10000 30000 funcref)
    (elem $forty funcref
      (ref.null func) (ref.null func) (ref.null func) (ref.null func) (ref.null func)
      (ref.null func) (ref.null func) (ref.null func) (ref.null func) (ref.null func)
      (ref.null func) (ref.null func) (ref.null func) (ref.null func) (ref.null func)
      (ref.null func) (ref.null func) (ref.null func) (ref.null func) (ref.null func)
      (ref.null func) (ref.null func) (ref.null func) (ref.null func) (ref.null func)
      (ref.null func) (ref.null func) (ref.null func) (ref.null func) (ref.null func)
      (ref.null func) (ref.null func) (ref.null func) (ref.null func) (ref.null func)
      (ref.null func) (ref.null func) (ref.null func) (ref.null func) (ref.null func))
    (data $bytes
      "01234567890123456789012345678901234567890123456789"
      "01234567890123456789012345678901234567890123456789"
      "01234567890123456789012345678901234567890123456789"
      "01234567890123456789012345678901234567890123456789"
      "01234567890123456789012345678901234567890123456789"
      "01234567890123456789012345678901234567890123456789"
      "01234567890123456789012345678901234567890123456789"
      "01234567890123456789012345678901234567890123456789")
    (func $embed (export "embed") (param $texts i32) (param $count i32) (result i32)
      (local $what i32)
      (local.set $what (i32.load offset=4 (local.get $texts)))
      (if (i32.eq (local.get $what) (i32.const 2))
        (then (memory.fill (i32.const 65536) (i32.const 7) (i32.const 1000000))))
      (if (i32.eq (local.get $what) (i32.const 3))
        (then (memory.copy (i32.const 65536) (i32.const 65537) (i32.const 1000000))))
      (if (i32.eq (local.get $what) (i32.const 4))
        (then (memory.init $bytes (i32.const 65536) (i32.const 0) (i32.const 400))))
      (if (i32.eq (local.get $what) (i32.const 5))
        (then (table.fill $table (i32.const 0) (ref.null func) (i32.const 10000))))
      (if (i32.eq (local.get $what) (i32.const 6))
        (then (table.copy $table $table (i32.const 0) (i32.const 0) (i32.const 10000))))
      (if (i32.eq (local.get $what) (i32.const 7))
        (then (table.init $table $forty (i32.const 0) (i32.const 0) (i32.const 40))))
      (if (i32.eq (local.get $what) (i32.const 8))
        (then (drop (table.grow $table (ref.null func) (i32.const 10000)))))
      (i32.const 64))
    (func (export "cleanup") (param i32))
    ;; Never frees; starts above everything else.
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $top)
      (global.set $top
        (i32.and
          (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 7)) (i32.const -8))))
  )
  (core instance $guest (instantiate $guest))

  ;; contract: text-embedding
)
