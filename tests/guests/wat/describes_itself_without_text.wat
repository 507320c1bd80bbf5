;; `describe` names an architecture that is no text.
;;
;; Promise: what a model says of itself is checked like any answer. Expected at load: `guest.trap`.
(component
  (core module $guest
    (memory (export "memory") 1)
    ;; Zeros: `ok`.
    (func (export "init") (result i32) (i32.const 16))
    ;; `embed` answers one text with the vector [0.0] and no truncation: the fields of the answer
    ;; from 64 on, its values at 128, its flags at 132.
    (data (i32.const 64) "\00\00\00\00" "\01\00\00\00" "\80\00\00\00\01\00\00\00"
                         "\84\00\00\00\01\00\00\00")
    (data (i32.const 256) "\00\02\00\00\04\00\00\00")
    (data (i32.const 512) "\f4\90\80\80")
    (func (export "describe") (result i32) (i32.const 256))
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
