;; `embed` calls the component's own export `embed`, through a table that a second module fills in.
;;
;; Promise: a component that is running is not entered again. Expected: `guest.trap`.
(component
  (core module $holds (table (export "table") 1 funcref))
  (core instance $holds (instantiate $holds))
  (core module $guest
    (import "holds" "table" (table 1 funcref))
    (memory (export "memory") 1)
    ;; Both answers are zeros: `ok`, and empty strings and lists.
    (func (export "init") (result i32) (i32.const 16))
    (func (export "describe") (result i32) (i32.const 16))
    ;; `embed` answers one text with the vector [0.0] and no truncation: the fields of the answer
    ;; from 64 on, its values at 128, its flags at 132.
    (data (i32.const 64) "\00\00\00\00" "\01\00\00\00" "\80\00\00\00\01\00\00\00"
                         "\84\00\00\00\01\00\00\00")
    (type $embed (func (param i32 i32 i32)))
    (func (export "embed") (param $texts i32) (param $count i32) (result i32)
      (call_indirect (type $embed)
        (local.get $texts) (local.get $count) (i32.const 512) (i32.const 0))
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
  (core instance $guest (instantiate $guest (with "holds" (instance $holds))))

  ;; contract: text-embedding

  (core func $again (canon lower (func $embed) (memory $memory) (realloc $realloc)))
  (core module $fills-in
    (import "guest" "again" (func $again (param i32 i32 i32)))
    (import "holds" "table" (table 1 funcref))
    (elem (i32.const 0) func $again))
  (core instance (instantiate $fills-in
    (with "guest" (instance (export "again" (func $again))))
    (with "holds" (instance $holds))))
)
