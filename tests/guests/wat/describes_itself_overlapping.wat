;; `describe` states 1,000 facts, whose keys and values are all the same 60,000 bytes: 76 KiB of
;; memory that would be 120 MB in the host.
;;
;; Promise: lists that overlap are counted as often as they are there. Expected at load:
;; `limit.output`.
(component
  (core module $guest
    (memory (export "memory") 2)
    ;; Zeros: `ok`.
    (func (export "init") (result i32) (i32.const 16))
    ;; `embed` answers one text with the vector [0.0] and no truncation: the fields of the answer
    ;; from 64 on, its values at 128, its flags at 132.
    (data (i32.const 64) "\00\00\00\00" "\01\00\00\00" "\80\00\00\00\01\00\00\00"
                         "\84\00\00\00\01\00\00\00")
    (data (i32.const 256) "\00\00\00\00\00\00\00\00" "\00\00\01\00\e8\03\00\00")
    (func (export "describe") (result i32)
      (local $at i32)
      (local.set $at (i32.const 65536))
      (loop $next
        (i32.store (local.get $at) (i32.const 1024))
        (i32.store offset=4 (local.get $at) (i32.const 60000))
        (i32.store offset=8 (local.get $at) (i32.const 1024))
        (i32.store offset=12 (local.get $at) (i32.const 60000))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br_if $next (i32.lt_u (local.get $at) (i32.const 81536))))
      (i32.const 256))
    (func (export "embed") (param i32 i32) (result i32) (i32.const 64))
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
