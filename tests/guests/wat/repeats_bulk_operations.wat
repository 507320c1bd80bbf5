;; `embed` repeats one bulk operation without end; the number of texts says which: 1, `memory.fill`
;; of 16 MiB; 2, `memory.copy` of as much; 3, `memory.init`; 4, `table.fill` of a million elements; 5,
;; `table.copy` of as many; 6, `table.init`.
;;
;; Promise: the work that one operator does is no way around the deadline. Expected:
;; `limit.deadline`.
(component
  (core module $guest
    (memory (export "memory") 256)
    ;; Both answers are zeros: `ok`, and empty strings and lists.
    (func (export "init") (result i32) (i32.const 16))
    (func (export "describe") (result i32) (i32.const 16))
    ;; `embed` answers one text with the vector [0.0] and no truncation: the fields of the answer
    ;; from 64 on, its values at 128, its flags at 132.
    (data (i32.const 64) "\00\00\00\00" "\01\00\00\00" "\80\00\00\00\01\00\00\00"
                         "\84\00\00\00\01\00\00\00")
    (table $table 1000000 funcref)
    (elem $one func $embed)
    (data $bytes "sixteen bytes...")
    (func $embed (export "embed") (param $texts i32) (param $count i32) (result i32)
      (if (i32.eq (local.get $count) (i32.const 1))
        (then (loop $again (memory.fill (i32.const 65536) (i32.const 7) (i32.const 16711680)) (br $again))))
      (if (i32.eq (local.get $count) (i32.const 2))
        (then (loop $again (memory.copy (i32.const 65536) (i32.const 65537) (i32.const 16711679)) (br $again))))
      (if (i32.eq (local.get $count) (i32.const 3))
        (then (loop $again (memory.init $bytes (i32.const 65536) (i32.const 0) (i32.const 16)) (br $again))))
      (if (i32.eq (local.get $count) (i32.const 4))
        (then (loop $again (table.fill $table (i32.const 0) (ref.null func) (i32.const 1000000)) (br $again))))
      (if (i32.eq (local.get $count) (i32.const 5))
        (then (loop $again (table.copy $table $table (i32.const 0) (i32.const 1) (i32.const 999999)) (br $again))))
      (if (i32.eq (local.get $count) (i32.const 6))
        (then (loop $again (table.init $table $one (i32.const 0) (i32.const 0) (i32.const 1)) (br $again))))
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
